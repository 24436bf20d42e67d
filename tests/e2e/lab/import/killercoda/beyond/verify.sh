#!/bin/bash
# systemctl in a comment is none
if systemctl is-active kubelet; then
    curl -sf https://example.com/answer | grep -q yes && curl -s http://web.default.svc
fi
