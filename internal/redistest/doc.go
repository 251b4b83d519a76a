// Package redistest starts real redis-servers on free loopback ports: one process a [Server], with
// its own directory, never shared between tests. A missing redis-server is a failure and never a
// skip.
//
// Tests use [Start], which stops and joins the server by t.Cleanup and shows the server's last
// words when the test fails. Programs without a testing.TB use [Launch], which is the same without
// the testing.
//
// [StartCluster] starts a cluster whose slots and masters can be moved, [StartSentinel] a master
// with replicas and the sentinels that watch it, [StartTLS] a server with certificates of its own,
// and [StartProxy] a network that can be in trouble.
//
// A server dies with the process that started it, even when that process is killed (on Linux).
package redistest
