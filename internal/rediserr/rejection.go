package rediserr

import (
	"slices"
	"strings"
)

const (
	tooManyClients = "max number of clients"
	protectedMode  = "DENIED"
)

// rejections are the beginnings of the errors that a server sends to a new connection before it
// closes the connection.
var rejections = []string{"ERR " + tooManyClients, protectedMode}

// Rejection is the error of a server that rejected a connection before it read any request. It
// holds the server's own text. A Rejection is not a redis.Error: go-redis would take it for the
// reply to HELLO and go on.
type Rejection string

// Error returns the server's own text.
func (r Rejection) Error() string { return string(r) }

// RejectionOf returns the Rejection for the text of the first error reply on a connection. It
// returns false for the errors that a server sends to a connection that it has accepted.
func RejectionOf(text string) (Rejection, bool) {
	rejected := slices.ContainsFunc(rejections, func(begin string) bool { return strings.HasPrefix(text, begin) })
	return Rejection(text), rejected
}
