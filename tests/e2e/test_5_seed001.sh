#!/bin/sh
# Point 5, seed 001: a ConfigMap as a file in nginx's conf.d; look at it, edit it, see it change in the pod.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

k apply -f - <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata:
  name: website
data:
  default.conf: |
    server {
        listen 80;
        location / {
            return 200 "first\n";
        }
    }
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: nginx
  labels: {tier: frontend}
spec:
  replicas: 1
  selector:
    matchLabels: {tier: frontend}
  template:
    metadata:
      labels: {tier: frontend}
    spec:
      containers:
      - name: nginx
        image: nginx:latest
        ports: [{containerPort: 80}]
        volumeMounts:
        - name: config
          mountPath: /etc/nginx/conf.d
      volumes:
      - name: config
        configMap:
          name: website
YAML
k rollout status deploy/nginx --timeout=300s
pod=$(k get pod -l tier=frontend -o 'jsonpath={.items[0].metadata.name}')
has "the file" 'return 200 "first' "$(k exec "$pod" -- cat /etc/nginx/conf.d/default.conf)"
has "atomic layout" "default.conf -> ..data/default.conf" "$(k exec "$pod" -- ls -la /etc/nginx/conf.d)"
fails k exec "$pod" -- touch /etc/nginx/conf.d/x
has "read only" "Read-only file system" "$out"
within 5 "served" value_is first k exec "$pod" -- wget -qO- http://127.0.0.1/

say "kubectl edit, and the change arrives"
cat >editor <<'SH'
#!/bin/sh
sed -i 's/first/second/' "$1"
SH
chmod +x editor
EDITOR="$PWD/editor" k edit cm website
within 90 "new content" sh -c "$KUBECTL exec $pod -- grep -q second /etc/nginx/conf.d/default.conf"
k exec "$pod" -- nginx -s reload
within 5 "served after reload" sh -c "[ \"\$($KUBECTL exec $pod -- wget -qO- http://127.0.0.1/)\" = second ]"
