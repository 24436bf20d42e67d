#!/bin/bash
while [ ! -e /tmp/asked ]; do sleep 0.1; done
echo storage >/tmp/word
echo written
