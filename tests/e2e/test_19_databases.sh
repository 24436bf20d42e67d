#!/bin/sh
# The databases that storage labs use: they start, answer, and what was written is there after the pod is gone.
. "$SOURCE_DIR/tests/e2e/lib.sh"
cluster
cd "$WORK"

shows() { [ "$(k get pod "$1" --no-headers 2>/dev/null | awk '{print $3}')" = "$2" ]; }
says() { k logs "$1" 2>/dev/null | grep -qF -e "$2"; }
# pod NAME IMAGE MOUNT-PATH CONTAINER-MEMBERS: with the claim of that name
pod() {
    printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s"},"spec":{"terminationGracePeriodSeconds":30,"containers":[{"name":"c","image":"%s","volumeMounts":[{"name":"v","mountPath":"%s"}]%s}],"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"%s"}}]}}' \
        "$1" "$2" "$3" "${4:+,$4}" "$1" | k apply -f - >/dev/null
}
for name in redis mysql postgres mongo; do
    printf '{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"%s"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}\n' $name
done | k apply -f - >/dev/null

say "redis keeps its keys"
pod redis redis:7-alpine /data '"args":["--appendonly","yes"]'
within 20 "redis" shows redis Running
within 5 "ready" says redis "Ready to accept connections"
eq "ping" PONG "$(k exec redis -- redis-cli ping)"
eq "set" OK "$(k exec redis -- redis-cli set greeting 'hello there')"
has "its file" appendonlydir "$(k exec redis -- ls /data)"
k delete pod redis >/dev/null
pod redis redis:7-alpine /data '"args":["--appendonly","yes"]'
within 20 "redis again" shows redis Running
within 5 "ready" says redis "Ready to accept connections"
eq "get" "hello there" "$(k exec redis -- redis-cli get greeting)"

say "mysql asks for a password, and keeps its tables"
k run nopass --image=mysql:8.0 --restart=Never
within 20 "refuses" shows nopass Error
has "words" "Database is uninitialized and password option is not specified" "$(k logs nopass)"
env='"env":[{"name":"MYSQL_ROOT_PASSWORD","value":"secret"},{"name":"MYSQL_DATABASE","value":"shop"}],"readinessProbe":{"exec":{"command":["mysqladmin","ping","-h","localhost"]},"periodSeconds":1,"timeoutSeconds":30}'
pod mysql mysql:8.0 /var/lib/mysql "$env"
k wait pod mysql --for=condition=Ready --timeout=300s >/dev/null
k exec mysql -- mysql -uroot -psecret -e "use shop; create table t (id int, name varchar(20)); insert into t values (1,'ann'),(2,'bob')"
k delete pod mysql >/dev/null
pod mysql mysql:8.0 /var/lib/mysql "$env"
k wait pod mysql --for=condition=Ready --timeout=300s >/dev/null
eq "rows" "id name 1 ann 2 bob" "$(k exec mysql -- mysql -uroot -psecret shop -e 'select * from t' | tr '\t\n' '  ' | sed 's/ $//')"
fails k exec mysql -- mysql -uroot -pwrong -e "select 1"
has "words" "Access denied for user 'root'" "$out"

say "postgres will not have a filesystem's lost+found in its directory; below it is fine"
pod postgres postgres:16 /var/lib/postgresql/data '"env":[{"name":"POSTGRES_PASSWORD","value":"x"}]'
within 20 "refuses" says postgres "It contains a lost+found directory, perhaps due to it being a mount point."
k delete pod postgres --now >/dev/null
pod postgres postgres:16 /var/lib/postgresql/data '"env":[{"name":"POSTGRES_PASSWORD","value":"x"},{"name":"PGDATA","value":"/var/lib/postgresql/data/pgdata"}]'
within 20 "postgres" says postgres "database system is ready to accept connections"
k exec postgres -- psql -U postgres -c "create table kept (v text)" -d postgres
k exec postgres -- psql -U postgres -d postgres -c "insert into kept values ('yes')"
has "rows" yes "$(k exec postgres -- psql -U postgres -d postgres -c 'select * from kept')"
has "ready" "accepting connections" "$(k exec postgres -- pg_isready)"

say "mongo keeps files"
pod mongo mongo:7.0 /data/db
within 20 "mongo" says mongo "Waiting for connections"
has "file" WiredTiger "$(k exec mongo -- ls /data/db)"
eq "ping" "{ ok: 1 }" "$(k exec mongo -- mongosh --quiet --eval 'db.adminCommand("ping")')"
