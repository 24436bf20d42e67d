#!/bin/bash
# The class in its teacher's browser: what class.mjs does and sees. A student's step is seen without a reload; a look into a student's
# cluster changes nothing. Pictures, light and dark, are left in the build folder.
. "$SOURCE_DIR/tests/e2e/class/class.sh"
command -v node >/dev/null || { echo "skipped: no Node.js on this machine"; exit 77; }
[ -d "$SOURCE_DIR/web/node_modules/playwright-core" ] || { echo "skipped: web/node_modules is not there (npm ci in web/)"; exit 77; }
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || { echo "skipped: no Chromium on this machine"; exit 77; }
printf 'alice\nbob\ncarol\n<i>Dave</i>x\n' | tr -d / >"$WORK/who"
class start small other --students "$WORK/who" --quiet >"$WORK/handed"
link=$(sed -n '$s/^ *//p' "$WORK/handed")
has "the teacher's link" "view=class" "$link"
[ "$(curl -s -o /dev/null -w '%{http_code}' "${link%/login*}/")" = 200 ] || { echo "skipped: built without the console"; exit 77; }
its alice create configmap m --from-literal=size="$(as alice text | sed -n 's/.*the size \([0-9]Gi\).*/\1/p')" >/dev/null
as alice check >/dev/null
fails as bob check
pictures="$BUILD_DIR/console-pictures"
mkdir -p "$pictures"

say "who may ask"
base=${link%/console/*}
eq "nobody else" 403 "$(curl -s -o /dev/null -w '%{http_code}' -X POST -H "Origin: $base" "$base/console/api/class-status")"
has "not by a token" 'only for who signed in by a link' "$(k --kubeconfig "$room/teacher/kubeconfig" create --raw /console/api/class-status -f <(echo '{}') 2>&1)"
student=$(class open bob)
curl -s -o /dev/null -c "$WORK/jar" "$student"
eq "a student's cluster has no class" 403 "$(curl -s -o /dev/null -w '%{http_code}' -b "$WORK/jar" -X POST -H "Origin: ${student%/console/*}" "${student%/console/*}/console/api/class-status")"

LINK="$link" BROWSER_PROGRAM="$browser" PICTURES="$pictures" ROOM="$room" KUBECTL="$KUBECTL" timeout 900 node "$SOURCE_DIR/tests/console/class.mjs"

say "what the browser did, as the students see it"
fails its bob get configmap by-the-teacher
eq "bob" "stuck" "$(told bob .state)"
