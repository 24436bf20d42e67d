ssh node01 cat /srv/page/word | grep -qx 'from a pod'
