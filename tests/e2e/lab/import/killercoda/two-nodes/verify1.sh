#!/bin/bash
set -e
[ "$(hostname)" = controlplane ]
[ ! -e /srv/page ]
ssh node01 grep -q node01 /srv/page/index.html
ssh node01 'grep -c . /srv/page/index.html' | grep -qx 2
! ssh node01 false
