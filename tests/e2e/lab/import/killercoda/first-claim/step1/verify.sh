#!/bin/bash
[ "$(kubectl -n shop get pvc data -o jsonpath='{.spec.resources.requests.storage}')" = 100Mi ]
