#!/bin/bash
grep -qx egarots /tmp/answer && grep -qx written /var/log/killercoda/intro-background_stdout.log
