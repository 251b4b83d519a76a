// Package scripttest has servers, users and canned replies for tests of packages that run scripts.
package scripttest
