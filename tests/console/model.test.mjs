import assert from "node:assert/strict";
import { test } from "node:test";
const source = (name) => import(new URL(`../../web/src/${name}`, import.meta.url));
const { edgesOf, model, place, placeOf, podState } = await source("views/map_model.js");
const { differences } = await source("diff.js");
const { bytes, parseQuantity, age } = await source("quantity.js");
const { memberPath } = await source("api.js");
const { lineOf, marksOf } = await source("views/yaml_lines.js");
const { ago, moved, rows, stepWord } = await source("views/class_model.js");

const map = (...objects) => new Map(objects.map((o) => [`${o.metadata.namespace || ""}/${o.metadata.name}`, o]));
const claim = (name, volumeName, storageClassName = "gp2") => ({ metadata: { name, namespace: "default" }, spec: { storageClassName, volumeName, resources: { requests: { storage: "1Gi" } } }, status: { phase: volumeName ? "Bound" : "Pending" } });
const volume = (name, of, handle) => ({ metadata: { name }, spec: { csi: { driver: "ebs.csi.aws.com", volumeHandle: handle }, claimRef: of && { namespace: "default", name: of }, capacity: { storage: "1Gi" }, persistentVolumeReclaimPolicy: "Delete" }, status: { phase: of ? "Bound" : "Available" } });
const pod = (name, ...claims) => ({ metadata: { name, namespace: "default" }, spec: { nodeName: "node01", volumes: claims.map((c) => ({ name: c, persistentVolumeClaim: { claimName: c } })) }, status: { phase: "Running" } });
const world = (more = {}) => ({ classes: map({ metadata: { name: "gp2" } }), claims: map(claim("b", "pv-b"), claim("a", "pv-a"), claim("c")), volumes: map(volume("pv-a", "a", "vol-1"), volume("pv-b", "b", "vol-2")),
  nodes: map({ metadata: { name: "node01" }, status: { conditions: [{ type: "Ready", status: "True" }] } }), pods: map(pod("web", "a"), pod("idle")),
  disks: [{ VolumeId: "vol-2", State: "available", Size: 1, AvailabilityZone: "z" }, { VolumeId: "vol-1", State: "in-use", Size: 1, AvailabilityZone: "z", Attachments: [{ Node: "node01" }] }], filter: "", all: false, ...more });
const arrows = (w) => edgesOf(place(model(w))).map((e) => e.key).sort();

test("everything that hangs together is joined", () => assert.deepEqual(arrows(world()), [
  "claim:default/a>volume:pv-a", "claim:default/b>volume:pv-b", "class:gp2>claim:default/a", "class:gp2>claim:default/b", "class:gp2>claim:default/c",
  "disk:vol-1>node:node01", "node:node01>pod:default/web", "volume:pv-a>disk:vol-1", "volume:pv-b>disk:vol-2"]));
test("columns stand beside what they follow", () => {
  const { columns } = place(model(world()));
  assert.deepEqual(columns.claim.map((c) => c.name), ["a", "b", "c"]);
  assert.deepEqual(columns.volume.map((c) => c.name), ["pv-a", "pv-b"]);
  assert.deepEqual(columns.disk.map((c) => c.name), ["vol-1", "vol-2"]);
});
test("pods without claims only when asked for", () => {
  assert.deepEqual(model(world()).pod.map((p) => p.name), ["web"]);
  assert.equal(model(world({ all: true })).pod.length, 2);
});
test("a search leaves what fits", () => assert.deepEqual(model(world({ filter: "PENDING" })).claim.map((c) => c.name), ["c"]));
test("where bytes are that no cloud keeps", () => {
  assert.equal(placeOf({ spec: { hostPath: { path: "/mnt" } } }).id, "hostPath /mnt");
  assert.equal(placeOf({ spec: { awsElasticBlockStore: { volumeID: "aws://us-east-1a/vol-9" } } }).id, "vol-9");
  assert.equal(placeOf({ spec: {} }), null);
});
test("a pod's state is what it waits for", () => {
  assert.equal(podState({ metadata: {}, status: { phase: "Pending", containerStatuses: [{ state: { waiting: { reason: "ImagePullBackOff" } } }] } }), "ImagePullBackOff");
  assert.equal(podState({ metadata: { deletionTimestamp: "x" }, status: { phase: "Running" } }), "Terminating");
});
test("differences, without what changes by itself", () => {
  assert.deepEqual(differences({ a: 1, metadata: { resourceVersion: "1" }, l: [1, 2] }, { a: 2, metadata: { resourceVersion: "2" }, l: [1], b: { c: "x" } }),
    [{ path: "a", before: "1", after: "2" }, { path: "l[1]", before: "2", after: "" }, { path: "b", before: "", after: '{"c":"x"}' }]);
  assert.deepEqual(differences({ x: { y: 1 } }, { x: { y: 1 } }), []);
});
test("quantities, sizes, ages", () => {
  assert.equal(parseQuantity("1Gi"), 2 ** 30);
  assert.equal(parseQuantity("500m"), 0.5);
  assert.ok(Number.isNaN(parseQuantity("x")));
  assert.equal(bytes(1536), "1.5 KiB");
  assert.equal(bytes(2 ** 30), "1 GiB");
  assert.equal(age("2024-01-01T00:00:00Z", Date.parse("2024-01-01T00:05:00Z")), "5m");
});
test("an object's own path", () => {
  assert.equal(memberPath("/api/v1/pods?x=y", { metadata: { namespace: "a", name: "b" } }), "/api/v1/namespaces/a/pods/b");
  assert.equal(memberPath("/apis/g/v1/namespaces/a/ks", { metadata: { namespace: "a", name: "b" } }), "/apis/g/v1/namespaces/a/ks/b");
});
test("the server's words stand at their line", () => {
  const text = "apiVersion: v1\nkind: X\nspec:\n  resources:\n    requests:\n      storage: 1Gi\n  list:\n  - name: a\n";
  assert.equal(lineOf(text, "spec.resources.requests.storage"), 5);
  assert.equal(lineOf(text, "spec.list[0].name"), 7);
  assert.equal(lineOf(text, "spec.none"), 2);
  assert.deepEqual(marksOf(text, { body: { details: { causes: [{ field: "kind", message: "no" }] } } }), [{ line: 1, message: "kind: no" }]);
  assert.deepEqual(marksOf(text, { message: "all of it" }), [{ line: 0, message: "all of it" }]);
});
const student = (name, state, more = {}) => ({ student: name, state, cluster: "up", points: 0, hints: 0, last: 0, tasks: [{ steps: [{ title: "One", state: "working" }] }], ...more });
const names = (list) => list.map((s) => s.student).join();
test("a class: who is shown, in which order", () => {
  const all = [student("c", "stuck", { stuck: { since: 9, check: "the claim" } }), student("a", "done", { points: 5 }), student("b", "stuck", { stuck: { since: 3, check: "the pod" }, cluster: "down" }), student("d", "working", { last: 7 })];
  assert.equal(names(rows(all)), "a,b,c,d");
  assert.equal(names(rows(all, { sort: "state" })), "b,c,d,a");
  assert.equal(names(rows(all, { sort: "points" })), "a,b,c,d");
  assert.equal(names(rows(all, { sort: "last", down: true })), "c,b,a,d");
  assert.equal(names(rows(all, { sort: "no such" })), "a,b,c,d");
  assert.equal(names(rows(all, { state: "stuck", text: "CLAIM" })), "c");
  assert.equal(names(rows(all, { state: "down" })), "b");
});
test("a class: what has moved", () => {
  const before = { students: [student("a", "working"), student("b", "working")] };
  const now = { students: [student("a", "done", { tasks: [{ steps: [{ title: "One", state: "done" }] }] }), student("b", "working", { cluster: "down" }), student("new", "working")] };
  assert.deepEqual(moved(null, now), []);
  assert.deepEqual(moved(before, now), [{ student: "a", step: "0.0", text: "a: One done" }, { student: "b", text: "b: cluster down" }]);
  assert.deepEqual(moved(now, now), []);
  assert.equal(stepWord("skipped"), "gone on without all points");
  assert.equal([ago(-5), ago(59), ago(3600), ago(200000)].join(), "0 s,59 s,1 h,2 d");
});
