#!/bin/bash
# kubectl create KIND: the objects that flags make, and what is refused.
. "$SOURCE_DIR/tests/e2e/kubectl/compare.sh"
cluster --profile none
cd "$WORK"
mkdir gen
echo hello >gen/a.txt
printf 'x\ny\n' >gen/b.txt
printf 'A=1\n# c\nB=2\n' >e.env
printed() { same "$@" --dry-run=client -o yaml; }

printed create deployment d --image=nginx --replicas=3 --port=80
printed create deployment d --image=busybox -o json
printed create job j --image=busybox
same create job j --image=busybox --dry-run=client -o yaml -- echo hi
same create cronjob c --image=busybox '--schedule=*/1 * * * *' --dry-run=client -o yaml -- date
printed create configmap cm --from-literal=a=1 --from-literal=b=2
printed create configmap cm --from-env-file=e.env
printed create cm cm --from-file=gen/a.txt --append-hash
printed create cm cm --from-literal=a=1 --append-hash
printed create cm cm --append-hash
printed create secret generic s --from-literal=p=x --append-hash
printed create secret generic s --from-literal=p=x --type=foo
printed create secret docker-registry r --docker-server=reg.example.com --docker-username=u --docker-password=p
printed create secret docker-registry r --docker-username=u --docker-password=p --docker-email=e
printed create secret tls t --cert=nosuch --key=nosuch
printed create ns n1x
printed create sa sa
printed create sa sa -n foo
printed create role r --verb=get,list --resource=pods,deployments.apps
printed create role r --verb=frob --resource=pods
printed create role r --verb=get --resource=bogus
printed create role r --verb=get --resource=pods/log --resource-name=a
printed create rolebinding rb --role=r --user=bob --serviceaccount=k5:sa
printed create clusterrole cr --verb=get --non-resource-url=/logs
printed create clusterrole cr --verb=get --resource=nodes
printed create clusterrole cr --aggregation-rule=a=b
printed create clusterrolebinding crb --clusterrole=view --group=g
printed create quota q --hard=pods=3,requests.storage=1Gi
printed create quota q --hard=pods=3x
printed create quota q --hard=pods=3 --scopes=Terminating
printed create pdb p --selector=a=b --min-available=1
printed create pdb p --selector=a=b --max-unavailable=50%
printed create priorityclass pc --value=5 --description=d
printed create service clusterip s --tcp=80:8080
printed create svc nodeport s --tcp=80 --node-port=30001
printed create service loadbalancer s --tcp=80:http
printed create service externalname s --external-name=a.example.com
printed create ingress i '--rule=a.example.com/*=svc:80'
printed create ingress i --class=nginx '--rule=a.example.com/x=svc:http,tls=sec' --default-backend=a:80 --annotation=a=b
printed create cm
printed create cm a b
same create deployment x --image=a b
printed create pv x
printed create cm x --from-literal=foo
printed create cm x --from-literal=a=1 --from-literal=a=2
printed create cm x --from-file=nope
printed create cm x --from-literal='a b=1'
printed create secret generic
same create job j
same create job j --from=cronjob/nope
same create ns default
same create sa default
same create cm kube-root-ca.crt
same create secret generic s -n nope
same create deployment x --image=a -n nope
same create service clusterip kubernetes --tcp=80
same create token nosuch
same create role x --verb=get
same create quota x --dry-run=server
same create ns Bad_
same create deployment Bad_ --image=nginx
same create priorityclass x --value=5 --dry-run=server
same create cm srv --dry-run=server -o name
same create token default --duration=1m
printed create configmap cm --from-file=gen --from-file=k=gen/b.txt
compared
