package broker

import (
	"testing"

	"github.com/rafka-streams/rafka/internal/script/scripttest"
)

// testServer is a Redis server with the helpers that most tests need.
type testServer struct{ scripttest.Server }

func onBothServers(t *testing.T, test func(t *testing.T, s testServer)) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) { test(t, testServer{s}) })
}

func onRedis(t *testing.T) testServer {
	t.Helper()
	return testServer{scripttest.OnRedis(t)}
}
