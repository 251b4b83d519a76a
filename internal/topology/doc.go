// Package topology holds the tests that run the input and the output on every deployment of Redis:
// a cluster whose slots move and whose nodes die, a master that sentinels replace, TLS with a
// private authority, a unix socket.
package topology
