#!/bin/bash
# The console in a real browser on a real cluster: what browser.mjs does and sees. Pictures of each page, light and dark, are left
# in the build folder to be looked at.
. "$SOURCE_DIR/tests/e2e/lib.sh"
command -v node >/dev/null || { echo "skipped: no Node.js on this machine"; exit 77; }
[ -d "$SOURCE_DIR/web/node_modules/playwright-core" ] || { echo "skipped: web/node_modules is not there (npm ci in web/)"; exit 77; }
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || { echo "skipped: no Chromium on this machine"; exit 77; }
cluster
k apply -f - <<'YAML'
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: log}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: waiting}
spec: {accessModes: [ReadWriteOnce], storageClassName: none-such, resources: {requests: {storage: 5Gi}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: hostile, labels: {app: x}}
data: {"a": "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'>"}
---
apiVersion: v1
kind: Pod
metadata: {name: web, annotations: {note: "<img src=x onerror='window.hurt = 1'>"}}
spec:
  containers:
  - {name: nginx, image: nginx, volumeMounts: [{name: v, mountPath: /usr/share/nginx/html}]}
  volumes: [{name: v, persistentVolumeClaim: {claimName: log}}]
YAML
k wait --for=condition=Ready pod/web --timeout=300s
"$STOWAGE" console --no-open --data "$WORK/data" >"$WORK/link" 2>/dev/null
[ "$(curl -s -o /dev/null -w '%{http_code}' "$(sed 's|/login.*|/|' "$WORK/link")")" = 200 ] || { echo "skipped: built without the console"; exit 77; }
pictures="$BUILD_DIR/console-pictures"
mkdir -p "$pictures"
LINK=$(cat "$WORK/link")
export LINK BROWSER_PROGRAM="$browser" PICTURES="$pictures" DATA="$WORK/data" SCRATCH="$WORK" KUBECTL
timeout 1700 node "$SOURCE_DIR/tests/console/browser.mjs"

say "what the browser did, as kubectl sees it"
eq "the page it uploaded" "<h1>from the browser</h1>" "$(k exec web -- cat /usr/share/nginx/html/index.html)"
eq "nginx serves it" "<h1>from the browser</h1>" "$(k get --raw /api/v1/namespaces/default/pods/web:80/proxy/)"
eq "made from YAML" "made here" "$(k get configmap made -o 'jsonpath={.data.where}')"
eq "edited" 2Gi "$(k get pvc waiting -o 'jsonpath={.metadata.labels.edited}')"
has "its disk" "us-east-1a" "$("$STOWAGE" disk ls --data "$WORK/data" | grep ' 7 \|7Gi\|7 GiB')"
