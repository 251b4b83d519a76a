package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// environment is what a case uses: three binaries, and its own server.
type environment struct {
	rafka, bento, limits string // binaries
	base                 string // the binary of another commit of rafka; "" if none is compared
	dir                  string
	scale                float64 // factor on the number of messages

	server   *redistest.Process
	follower *redistest.Process // the replica, if the case has one
	redis    *redis.Client
	names    int // number of names drawn
}

// build builds the binaries, each in the module that pins its versions.
func build(ctx context.Context, dir string, scale float64, base string) (*environment, error) {
	e := &environment{
		dir:    dir,
		scale:  scale,
		rafka:  filepath.Join(dir, "rafka"),
		bento:  filepath.Join(dir, "bento"),
		limits: filepath.Join(dir, "limits"),
	}
	for _, b := range []struct{ module, binary, pkg string }{
		{"..", e.rafka, "./cmd/rafka"}, {"bento", e.bento, "."}, {".", e.limits, "./limits"},
	} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.binary, b.pkg)
		cmd.Dir = b.module
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s in %s: %w\n%s", b.pkg, b.module, err, out)
		}
	}
	if base == "" {
		return e, nil
	}
	e.base = filepath.Join(dir, "rafka-base")
	return e, buildBase(ctx, dir, base, e.base)
}

// open starts the server of a case.
func (e *environment) open(args ...string) (err error) {
	if e.server, err = redistest.Launch(redistest.Options{Args: args}); err != nil {
		return err
	}
	e.redis = redis.NewClient(&redis.Options{Addr: e.server.Addr(), ReadTimeout: time.Minute, PoolSize: 2})
	return nil
}

func (e *environment) close() error {
	if e.server == nil {
		return nil
	}
	err := errors.Join(e.redis.Close(), e.server.Close())
	if e.follower != nil {
		err = errors.Join(err, e.follower.Close())
	}
	e.server, e.follower, e.redis = nil, nil, nil
	return err
}

// messages scales a number of messages.
func (e *environment) messages(n int) int { return max(int(float64(n)*e.scale), 1000) }

// name returns a new name.
func (e *environment) name(prefix string) string {
	e.names++
	return fmt.Sprintf("%s%d", prefix, e.names)
}

// start runs a binary with a configuration.
func (e *environment) start(binary, config string) (*process, error) {
	p, err := e.command(binary, config)
	if err != nil {
		return nil, err
	}
	return p, p.begin()
}

// command prepares a process that runs a binary with a configuration, in which $URL is the server.
func (e *environment) command(binary, config string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config = strings.NewReplacer("$URL", e.server.URL()).Replace(config)
	config = "http: {address: '" + address + "'}\nlogger: {level: WARN}\n" +
		"metrics: {prometheus: {}}\nshutdown_timeout: 5s\n" + config
	file := filepath.Join(e.dir, e.name("config")+".yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	p := &process{address: address, cmd: exec.Command(binary, "-c", file)}
	if binary == e.rafka || binary == e.base {
		p.cmd = exec.Command(binary, "run", file)
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.Dir = e.dir
	return p, nil
}

// freeAddress returns a loopback address whose port is free at the moment.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// topic creates a topic with n messages, which rafka writes.
func (e *environment) topic(ctx context.Context, partitions, n int, output string) (string, error) {
	name := e.name("topic")
	p, err := e.start(e.rafka, generate(n, 500)+fmt.Sprintf(`
output:
  rafka:
    url: $URL
    stream_name: %s
    partitions: %d
    key: ${! counter() %% 1000 }
    max_in_flight: 64
    %s
`, name, partitions, output))
	if err != nil {
		return "", err
	}
	if err := p.wait(ctx); err != nil {
		return "", fmt.Errorf("filling %s: %w", name, err)
	}
	return name, e.checkLength(ctx, name, partitions, n)
}

// plain writes n messages with some keys to a new plain stream, and returns its name.
func (e *environment) plain(ctx context.Context, n, keys int) (string, error) {
	name := e.name("plain")
	p, err := e.start(e.rafka, generate(n, 500)+fmt.Sprintf(`
output:
  rafka: {url: $URL, stream_name: %s, key: '${! counter() %% %d }'}
`, name, keys))
	if err != nil {
		return "", err
	}
	if err := p.wait(ctx); err != nil {
		return "", fmt.Errorf("filling %s: %w", name, err)
	}
	length, err := e.redis.XLen(ctx, name).Result()
	if err == nil && length != int64(n) {
		err = fmt.Errorf("%s has %d entries, but %d were written", name, length, n)
	}
	return name, err
}

// generate returns an input of n messages of 256 bytes.
func generate(n, batch int) string {
	return fmt.Sprintf(`
input:
  generate:
    count: %d
    interval: ""
    batch_size: %d
    mapping: 'root = "%s"'
`, n, batch, strings.Repeat("x", 256))
}

// checkLength checks that the streams of a topic have n entries.
func (e *environment) checkLength(ctx context.Context, topic string, partitions, n int) error {
	sum := int64(0)
	for i := range partitions {
		length, err := e.redis.XLen(ctx, stream(topic, i)).Result()
		if err != nil {
			return err
		}
		sum += length
	}
	if sum != int64(n) {
		return fmt.Errorf("%s has %d entries, but %d were written", topic, sum, n)
	}
	return nil
}

// replica starts a replica of the server, which is closed with the server, and waits until it is in
// sync.
func (e *environment) replica(ctx context.Context) error {
	host, port, err := net.SplitHostPort(e.server.Addr())
	if err != nil {
		return err
	}
	if e.follower, err = redistest.Launch(redistest.Options{Args: []string{"--replicaof", host, port}}); err != nil {
		return err
	}
	for {
		info, err := e.redis.Info(ctx, "replication").Result()
		if err != nil || strings.Contains(info, "state=online") {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func stream(topic string, partition int) string { return fmt.Sprintf("%s:%d", topic, partition) }
