#!/bin/sh
# Images that are brought: imported, pulled from a registry on this machine, exported; and those that cannot be had.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

shows() { [ "$(k get pod "$1" --no-headers 2>/dev/null | awk '{print $3}')" = "$2" ]; }
image() { "$STOWAGE" image "$@" --data "$WORK/data"; }
make() { python3 "$SOURCE_DIR/tests/e2e/images.py" "$@"; }
# waits NAME TEXT: the message of what its container waits for has TEXT; of a failed pull it changes with each try
waits() { k get pod "$1" -o 'jsonpath={.status.containerStatuses[0].state.waiting.message}' | grep -qF -e "$2"; }
says() { k logs "$1" 2>/dev/null | grep -qF -e "$2"; }

say "an archive of docker save: imported, told, run as it says"
make docker app.tar acme/app:1
eq "import" docker.io/acme/app:1 "$(image import app.tar)"
has "ls" "imported" "$(image ls | grep acme/app)"
eq "inspect" "app /work SIGQUIT" "$(image inspect acme/app:1 | jq -r '.[0].Config | .User + " " + .WorkingDir + " " + .StopSignal')"
has "history" "COPY above" "$(image history acme/app:1)"
k run app --image=acme/app:1
within 20 "runs" shows app Running
within 5 "entrypoint, command, environment, user, directory" says app "hello one two as 1234:5678 in /work"
within 5 "root" says app "the root is not"
k run other --image=acme/app:1 -- three
within 20 "runs" shows other Running
within 5 "arguments" says other "hello three as 1234:5678 in /work"
eq "image" docker.io/acme/app:1 "$(k get pod app -o 'jsonpath={.status.containerStatuses[0].image}')"
has "image id" sha256: "$(k get pod app -o 'jsonpath={.status.containerStatuses[0].imageID}')"
within 5 "already there" describes pod app 'Container image "acme/app:1" already present on machine'

say "layers stacked by overlay: deleted, changed, opaque, owners, modes, attributes"
fails k exec app -- cat /etc/gone
eq "changed" above "$(k exec app -- cat /etc/changed)"
eq "hard link" above "$(k exec app -- cat /etc/hard)"
eq "opaque" new "$(k exec app -- ls /opaque)"
eq "owner and mode" "4750 1234" "$(k exec app -- stat -c '%a %u' /usr/share/owned)"
has "overlay" "overlay on / type overlay" "$(k exec app -- mount)"

say "copy-on-write: what is written lies in the upper directory, and only there"
k run writer --image=acme/app:1 --overrides='{"spec":{"containers":[{"name":"writer","image":"acme/app:1","securityContext":{"runAsUser":0}}]}}'
within 20 "runs" shows writer Running
k exec writer -- sh -c 'echo mine >/etc/changed'
eq "changed" mine "$(k exec writer -- cat /etc/changed)"
eq "not for others" above "$(k exec app -- cat /etc/changed)"
id=$(k get pod writer -o 'jsonpath={.status.containerStatuses[0].containerID}')
node=$(k get pod writer -o 'jsonpath={.spec.nodeName}')
eq "upper" mine "$("$STOWAGE" shell --data "$WORK/data" "$node" -- sh -c "cat /var/lib/containerd/*/k8s.io/${id#containerd://}/fs/etc/changed")"

say "a volume of the image is writable, begins with what the image has there, and is not its root"
within 5 "volume" says app "the volume is writable"
eq "content" "from the image" "$(k exec app -- cat /data/seed)"
eq "owner and mode" "770 1234" "$(k exec app -- stat -c '%a %u' /data)"
k apply -f - <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: tight}
spec:
  containers:
  - {name: c, image: acme/app:1, securityContext: {readOnlyRootFilesystem: true}}
YAML
within 20 "runs" shows tight Running
within 5 "volume" says tight "the volume is writable"

say "its own signal ends it"
k logs -f app >app.log &
within 5 "somebody follows" test -s app.log
k delete pod app --timeout=120s >/dev/null
wait
has "signal" bye "$(cat app.log)"

say "names: a tag, a removal that is refused, one that is not"
image tag acme/app:1 app:prod
has "two names" app:prod "$(k run tagged --image=app:prod --dry-run=server -o yaml)"
image rm acme/app:1 >out
eq "untagged" "Untagged: docker.io/acme/app:1" "$(cat out)"
fails image rm app:prod
has "in use" "a container is using its image" "$out"
k delete pod other writer tight --now >/dev/null
within 30 "nobody uses it" image rm app:prod
lacks "gone" app "$(image ls -q | head -n 1; image ls | grep app || true)"
k run never --image=acme/app:1 --image-pull-policy=Never
within 20 "never" shows never ErrImageNeverPull
within 20 "never" waits never 'Container image "acme/app:1" is not present with pull policy of Never'

say "an OCI layout, exported and imported again: the same image"
make oci layout
image import layout --name team/app:2 >/dev/null
before=$(image inspect team/app:2 | jq -r '.[0].Id')
image export team/app:2 >out.tar
image rm team/app:2 >/dev/null
eq "again" docker.io/team/app:2 "$(gzip -c out.tar | image import -)"
eq "id" "$before" "$(image inspect team/app:2 | jq -r '.[0].Id')"
if command -v zstd >/dev/null; then
    make oci zlayout zstd
    if image import zlayout --name team/app:z >zstd.out 2>&1; then
        eq "compressed with zstd: the same image" "$before" "$(image inspect team/app:z | jq -r '.[0].Id')"
        image rm team/app:z >/dev/null
    else
        has "built without libzstd" "compressed with zstd: only gzip is understood" "$(cat zstd.out)"
    fi
fi
image export nginx:alpine -f nginx.tar
image import nginx.tar --name mine/nginx:1 >/dev/null
k run mine --image=mine/nginx:1
within 20 "a built-in image made real" shows mine Running
within 20 "it serves" k exec mine -- curl -sf localhost

say "a registry on this machine"
python3 "$SOURCE_DIR/tests/e2e/images.py" serve layout port &
registry=$!
within 20 "registry" test -s port
host=localhost:$(cat port)
k run pulled --image="$host/team/app:3"
within 20 "runs" shows pulled Running
within 5 "pulled" describes pod pulled "Successfully pulled image \"$host/team/app:3\""
has "digest" "$host/team/app@sha256:" "$(k get pod pulled -o 'jsonpath={.status.containerStatuses[0].imageID}')"
eq "pull" "$host/team/app:4" "$(image pull "$host/team/app:4")"
eq "one image" "$(image inspect "$host/team/app:3" | jq -r '.[0].Id')" "$(image inspect "$host/team/app:4" | jq -r '.[0].Id')"
k run absent --image="$host/nothing/app:1"
within 20 "not there" shows absent ImagePullBackOff
within 20 "words" waits absent "rpc error: code = NotFound desc = failed to pull and unpack image \"$host/nothing/app:1\": failed to resolve reference"
kill $registry
wait $registry 2>/dev/null || true
k run refused --image="$host/team/app:5"
within 20 "nobody there" shows refused ImagePullBackOff
within 20 "words" waits refused "connect: connection refused"

say "archives nobody should write are refused, and leave nothing"
for row in "climb:may not climb" "through:is no directory of this layer" "hardlink:leads out of the layer" "device:may not bring devices"; do
    make bad "${row%%:*}" bad.tar
    fails image import bad.tar
    has "${row%%:*}" "${row#*:}" "$out"
done
head -c 100000 out.tar >cut.tar
fails image import cut.tar
has "cut" "it ends" "$out"
sed 's/COPY below/COPY BELOW/' out.tar >forged.tar
fails image import forged.tar
has "forged" "wrong digest" "$out"
lacks "nothing is left" bad "$(image ls)"
[ ! -e /tmp/escaped ] || die "it wrote outside"

say "unknown: a stub that says so; what fails: slips, tags, registries, names that are none"
k run shop --image=acme/shop:9
k run java --image=acme/java --command -- java -jar app.jar
k run shell --image=acme/tool --command -- sh -c 'echo from the stub; sleep 1000'
within 20 "stub" shows shop Running
within 20 "stub" shows java Running
within 5 "event" event_says shop 'UnknownImage: Nobody knows the image "acme/shop:9" here: a stub with a shell runs in its place.'
within 5 "says so" says java "this one has no java"
within 20 "shell" says shell "from the stub"
fail_as() { # NAME IMAGE WORDS
    k run "$1" --image="$2" >/dev/null
    within 20 "$2" shows "$1" ImagePullBackOff
    within 20 "$2" waits "$1" "$3"
}
fail_as slip ngnix "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
fail_as tag nginx:1.999 'code = NotFound desc = failed to pull and unpack image "docker.io/library/nginx:1.999": failed to resolve reference "docker.io/library/nginx:1.999": docker.io/library/nginx:1.999: not found'
fail_as host registry.example.com/app:1 "lookup registry.example.com: no such host"
fail_as none nonexistent-image:v1 "pull access denied"
within 60 "what backs off" waits slip 'Back-off pulling image "ngnix": ErrImagePull: rpc error: code = Unknown'
printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"upper"},"spec":{"containers":[{"name":"c","image":"Nginx"}]}}' | k apply -f - >/dev/null
within 20 "invalid" shows upper InvalidImageName
within 20 "words" waits upper "couldn't parse image name \"Nginx\": invalid reference format: repository name (library/Nginx) must be lowercase"

say "after a restart everything is there; told so, all unknown ones fail"
"$STOWAGE" down --data "$WORK/data" >/dev/null
cluster --unknown-images=fail
has "imported" mine/nginx "$(image ls)"
lacks "stubs" stub "$(image ls)"
k run shop2 --image=acme/shop:9
within 20 "fails" shows shop2 ImagePullBackOff
within 20 "words" waits shop2 "Stowage works offline"
