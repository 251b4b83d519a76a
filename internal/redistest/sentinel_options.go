package redistest

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// SentinelOptions configure a Sentinel. The zero value is a master with one replica, without
// passwords.
type SentinelOptions struct {
	// Replicas is the number of replicas, 1 if 0.
	Replicas int
	// Password is the password of the master and its replicas, SentinelPassword the Sentinels'
	// password. Neither has a user name.
	Password, SentinelPassword string
	// Args are appended to the command line of the master and its replicas.
	Args []string
	// SentinelConfig is appended to the configuration of the Sentinels, one line per element.
	SentinelConfig []string
	// DownAfter is how long a server can be silent before the Sentinels consider it dead, half a
	// second if 0. A busy machine can keep a server silent for that long.
	DownAfter time.Duration
	// TLS makes all of them speak only TLS, also among themselves.
	TLS *Certificates
}

// server returns the options of the master and its replicas.
func (o SentinelOptions) server() Options {
	args := append([]string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}, o.Args...)
	if o.Password != "" {
		args = append(args, "--requirepass", o.Password, "--masterauth", o.Password)
	}
	if o.TLS != nil {
		return o.TLS.options(append(args, "--tls-replication", "yes")...)
	}
	return Options{Args: args}
}

// sentinel returns the options of a Sentinel.
func (o SentinelOptions) sentinel(config string) Options {
	watch := Options{Args: []string{"--sentinel"}}
	if o.TLS != nil {
		watch = o.TLS.options("--sentinel", "--tls-replication", "yes")
	}
	watch.Config = config
	return watch
}

func (s *Sentinel) config(host, port string) string {
	name := s.MasterName()
	lines := []string{
		"sentinel monitor " + name + " " + host + " " + port + " 2",
		fmt.Sprintf(
			"sentinel down-after-milliseconds %s %d",
			name,
			cmp.Or(s.o.DownAfter, 500*time.Millisecond).Milliseconds(),
		),
		"sentinel failover-timeout " + name + " 2000",
	}
	if s.o.Password != "" {
		lines = append(lines, "sentinel auth-pass "+name+" "+s.o.Password)
	}
	if s.o.SentinelPassword != "" {
		lines = append(lines, "requirepass "+s.o.SentinelPassword, "sentinel sentinel-pass "+s.o.SentinelPassword)
	}
	return strings.Join(append(lines, s.o.SentinelConfig...), "\n") + "\n"
}
