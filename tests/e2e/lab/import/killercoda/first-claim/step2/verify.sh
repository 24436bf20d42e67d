kubectl -n shop exec writer -- cat /data/word | seen hello
