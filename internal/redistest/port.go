package redistest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below those that systems give to outgoing connections (32768 up on Linux),
// so that nobody's client sits on a server's port while the server is down for a restart. 10000
// more must be free too: it is a cluster node's bus port.
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
