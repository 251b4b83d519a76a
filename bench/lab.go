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

// lab is what a case works with: the three binaries, and a server of its own.
type lab struct {
	rafka, bento, limits string // binaries
	base                 string // the binary of another commit, if rafka is compared with one
	dir                  string
	scale                float64 // of the number of messages

	server   *redistest.Process
	follower *redistest.Process // the replica of a case that has one
	redis    *redis.Client
	names    int // how many were drawn
}

// build makes the binaries, each from the module that says with which versions.
func build(ctx context.Context, dir string, scale float64, base string) (*lab, error) {
	l := &lab{
		dir:    dir,
		scale:  scale,
		rafka:  filepath.Join(dir, "rafka"),
		bento:  filepath.Join(dir, "bento"),
		limits: filepath.Join(dir, "limits"),
	}
	for _, b := range []struct{ module, binary, pkg string }{
		{"..", l.rafka, "./cmd/rafka"}, {"bento", l.bento, "."}, {".", l.limits, "./limits"},
	} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.binary, b.pkg)
		cmd.Dir = b.module
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s in %s: %w\n%s", b.pkg, b.module, err, out)
		}
	}
	if base == "" {
		return l, nil
	}
	l.base = filepath.Join(dir, "rafka-base")
	return l, buildBase(ctx, dir, base, l.base)
}

// open starts the server of a case.
func (l *lab) open(args ...string) (err error) {
	if l.server, err = redistest.Launch(redistest.Options{Args: args}); err != nil {
		return err
	}
	l.redis = redis.NewClient(&redis.Options{Addr: l.server.Addr(), ReadTimeout: time.Minute, PoolSize: 2})
	return nil
}

func (l *lab) close() error {
	if l.server == nil {
		return nil
	}
	err := errors.Join(l.redis.Close(), l.server.Close())
	if l.follower != nil {
		err = errors.Join(err, l.follower.Close())
	}
	l.server, l.follower, l.redis = nil, nil, nil
	return err
}

// messages scales a number of messages.
func (l *lab) messages(n int) int { return max(int(float64(n)*l.scale), 1000) }

// name draws a name that was not used before.
func (l *lab) name(prefix string) string {
	l.names++
	return fmt.Sprintf("%s%d", prefix, l.names)
}

// start runs a binary with a config.
func (l *lab) start(binary, config string) (*process, error) {
	p, err := l.command(binary, config)
	if err != nil {
		return nil, err
	}
	return p, p.begin()
}

// command prepares a process that runs a binary with a config. In the config $URL is the server.
func (l *lab) command(binary, config string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config = strings.NewReplacer("$URL", l.server.URL()).Replace(config)
	config = "http: {address: '" + address + "'}\nlogger: {level: WARN}\nmetrics: {prometheus: {}}\nshutdown_timeout: 5s\n" + config
	file := filepath.Join(l.dir, l.name("config")+".yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	p := &process{address: address, cmd: exec.Command(binary, "-c", file)}
	if binary == l.rafka || binary == l.base {
		p.cmd = exec.Command(binary, "run", file)
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.Dir = l.dir
	return p, nil
}

// freeAddress finds a loopback port that nobody has at the moment.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// topic makes a topic with n messages that were written by rafka itself.
func (l *lab) topic(ctx context.Context, partitions, n int, output string) (string, error) {
	name := l.name("topic")
	p, err := l.start(l.rafka, generate(n, 500)+fmt.Sprintf(`
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
	return name, l.expect(ctx, name, partitions, n)
}

// generate is an input of n messages of 256 bytes.
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

// expect checks that the streams of a topic hold n entries.
func (l *lab) expect(ctx context.Context, topic string, partitions, n int) error {
	sum := int64(0)
	for i := range partitions {
		length, err := l.redis.XLen(ctx, stream(topic, i)).Result()
		if err != nil {
			return err
		}
		sum += length
	}
	if sum != int64(n) {
		return fmt.Errorf("%s has %d entries, and %d were written to it", topic, sum, n)
	}
	return nil
}

// replica starts a replica of the server that ends with the lab's server, and waits until it has
// caught up.
func (l *lab) replica(ctx context.Context) error {
	host, port, err := net.SplitHostPort(l.server.Addr())
	if err != nil {
		return err
	}
	if l.follower, err = redistest.Launch(redistest.Options{Args: []string{"--replicaof", host, port}}); err != nil {
		return err
	}
	for {
		info, err := l.redis.Info(ctx, "replication").Result()
		if err != nil || strings.Contains(info, "state=online") {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func stream(topic string, partition int) string { return fmt.Sprintf("%s:%d", topic, partition) }
