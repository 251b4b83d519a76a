package redistest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are below the range of outgoing connections (32768 and up on Linux), so that no client
// occupies the port of a server while the server restarts. A cluster node's bus port is 10000
// higher and must be free, too.
const (
	lowestPort  = 10000
	highestPort = 22000
)

var errPortTaken = errors.New("the port is taken")

// freePort returns a port that was free a moment ago.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("finding a free port on 127.0.0.1: %w", err)
}
