#!/bin/sh
# A folder includes its own files and strictly lower floors, nothing else; no folder includes src/app.
set -eu
cd "$SOURCE_DIR/src"
floor() {
    case $1 in
    base) echo 0 ;; api | sys | ingress) echo 1 ;; store | volume | csi | client | images) echo 2 ;; registry | kubectl) echo 3 ;; control) echo 4 ;;
    apiserver | controllers | scheduler | binder | kubeletsim) echo 5 ;; lab) echo 6 ;; cli) echo 7 ;; app) echo 8 ;; *) echo -1 ;;
    esac
}
bad=0
for file in $(find . -name '*.[ch]' | sort); do
    own=$(echo "$file" | cut -d/ -f2)
    mine=$(floor "$own")
    [ "$mine" -ge 0 ] || { echo "$file: folder '$own' has no floor"; bad=1; }
    for inc in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file"); do
        other=${inc%%/*}
        [ "$other" = "$own" ] && continue
        theirs=$(floor "$other")
        if [ "$theirs" -lt 0 ]; then
            echo "$file: includes \"$inc\" without its folder"; bad=1
        elif [ "$theirs" -ge "$mine" ]; then
            echo "$file: floor $mine includes \"$inc\" of floor $theirs"; bad=1
        fi
        case $inc in *_int.h) echo "$file: includes another folder's private \"$inc\""; bad=1 ;; esac
    done
done
exit $bad
