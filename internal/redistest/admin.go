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
	// waitTimeout bounds every wait for servers to agree.
	waitTimeout = 2 * time.Minute
	waitPeriod  = 20 * time.Millisecond
)

// do sends one command. It uses the unix socket, so neither TLS nor a proxy is involved.
func (s *Server) do(ctx context.Context, command ...any) (any, error) {
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

// doText is do for a command whose reply is a text.
func (s *Server) doText(ctx context.Context, command ...any) (string, error) {
	reply, err := s.do(ctx, command...)
	text, _ := reply.(string)
	return text, err
}

// mustDo is do, and fails the test on an error.
func (s *Server) mustDo(t testing.TB, command ...any) any {
	t.Helper()
	reply, err := s.do(context.Background(), command...)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// waitFor calls check until it succeeds.
func waitFor(t testing.TB, what string, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	tick := time.NewTicker(waitPeriod)
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

// requireParts returns an error unless the text contains all of the parts.
func requireParts(err error, text string, parts ...string) error {
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

// Replicate makes a server the replica of another one, and waits until the replica is in sync.
func Replicate(t testing.TB, master, replica *Server) {
	t.Helper()
	host, port, _ := strings.Cut(master.Addr(), ":")
	replica.mustDo(t, "config", "set", "repl-ping-replica-period", 1)
	master.mustDo(t, "config", "set", "repl-diskless-sync-delay", 0)
	replica.mustDo(t, "replicaof", host, port)
	waitFor(t, replica.Addr()+" to be in sync", func(ctx context.Context) error {
		info, err := replica.doText(ctx, "info", "replication")
		if err = requireParts(err, info, "role:slave", "master_link_status:up"); err != nil {
			return err
		}
		if info, err = master.doText(ctx, "info", "replication"); err == nil && replicas(info) == 0 {
			err = errors.New(info)
		}
		return err
	})
}

// replicas returns how many replicas of a master receive its writes immediately. A master reports a
// replica as online before that: until the first acknowledgement of the replica it holds writes
// back, which are lost if the master dies.
func replicas(replication string) (n int) {
	for line := range strings.Lines(replication) {
		if strings.HasPrefix(line, "slave") && strings.Contains(line, ",state=online,") &&
			!strings.Contains(line, ",offset=0,") {
			n++
		}
	}
	return n
}
