package redistest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// settleTimeout bounds every wait for servers to agree on something.
	settleTimeout = 2 * time.Minute
	settlePeriod  = 20 * time.Millisecond
)

// ask sends one command. It comes in by the unix socket, where neither TLS nor a proxy is in the
// way.
func (s *Server) ask(ctx context.Context, command ...any) (any, error) {
	client := redis.NewClient(&redis.Options{
		Network:               "unix",
		Addr:                  s.Socket(),
		Password:              s.password,
		MaxRetries:            -1,
		DialerRetries:         1,
		DialTimeout:           30 * time.Second,
		ReadTimeout:           30 * time.Second,
		ContextTimeoutEnabled: true,
		DisableIdentity:       true,
	})
	reply, err := client.Do(ctx, command...).Result()
	if err = errors.Join(err, client.Close()); err != nil {
		return nil, fmt.Errorf("%s: %.200v: %w", s.Addr(), fmt.Sprint(command...), err)
	}
	return reply, nil
}

// text is ask for a command that answers with a text.
func (s *Server) text(ctx context.Context, command ...any) (string, error) {
	reply, err := s.ask(ctx, command...)
	text, _ := reply.(string)
	return text, err
}

// must is ask, and fails the test if the server refuses.
func (s *Server) must(t testing.TB, command ...any) any {
	t.Helper()
	reply, err := s.ask(context.Background(), command...)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// settle asks until what is asked for is so.
func settle(t testing.TB, what string, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	tick := time.NewTicker(settlePeriod)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v", what, err)
		}
	}
}

// missing is an error that shows the text unless it has all of the parts.
func missing(err error, text string, parts ...string) error {
	if err != nil {
		return err
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return fmt.Errorf("%q is missing in\n%s", part, text)
		}
	}
	return nil
}

// Replicate makes a server the replica of another one, and waits until it is in sync.
func Replicate(t testing.TB, master, replica *Server) {
	t.Helper()
	host, port, _ := strings.Cut(master.Addr(), ":")
	replica.must(t, "config", "set", "repl-ping-replica-period", 1)
	master.must(t, "config", "set", "repl-diskless-sync-delay", 0)
	replica.must(t, "replicaof", host, port)
	settle(t, replica.Addr()+" to be in sync", func(ctx context.Context) error {
		info, err := replica.text(ctx, "info", "replication")
		if err = missing(err, info, "role:slave", "master_link_status:up"); err != nil {
			return err
		}
		if info, err = master.text(ctx, "info", "replication"); err == nil && replicas(info) == 0 {
			err = errors.New(info)
		}
		return err
	})
}

// replicas counts the replicas of a master that receive its writes as they happen. A master calls a
// replica online before that: it holds writes back until the replica's first acknowledgement, and
// they are lost if the master dies.
func replicas(replication string) (n int) {
	for line := range strings.Lines(replication) {
		if strings.HasPrefix(line, "slave") && strings.Contains(line, ",state=online,") &&
			!strings.Contains(line, ",offset=0,") {
			n++
		}
	}
	return n
}
