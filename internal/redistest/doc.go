// Package redistest starts real redis-servers on free loopback ports for tests: one process per
// [Server], with its own directory, never shared between tests. A missing redis-server is a
// failure, not a skip.
//
// Tests use [Start], which stops and joins the server in t.Cleanup and logs the end of the server's
// output when the test fails. Programs without a testing.TB use [Launch].
//
// [StartCluster] starts a cluster whose slots and masters can move, [StartSentinel] a master with
// replicas and Sentinels, [StartTLS] a server with its own certificates, and [StartProxy] a network
// that can fail.
//
// On Linux, a server dies with the process that started it, even when that process is killed.
package redistest
