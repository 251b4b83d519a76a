// Package topology tests the input and the output on every deployment of Redis: a cluster whose
// slots move and whose nodes die, a master that Sentinels replace, TLS with a private CA, a unix
// socket. internal/acceptance tests them on one server; internal/ledger tests the built binary.
package topology
