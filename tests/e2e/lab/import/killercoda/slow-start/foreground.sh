touch /tmp/asked
while [ ! -e /tmp/word ]; do sleep 0.1; done
