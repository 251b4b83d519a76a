package redistest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServerAnswersOnPortAndSocket(t *testing.T) {
	s := Start(t)
	assert.Equal(t, "redis://"+s.Addr(), s.URL())
	require.NoError(t, s.Client(t).Ping(t.Context()).Err())

	unix := s.Client(t, func(o *redis.Options) { o.Network, o.Addr = "unix", s.Socket() })
	require.NoError(t, unix.Ping(t.Context()).Err())
}

func TestDataSurvivesKillWithAppendOnlyFile(t *testing.T) {
	s := Start(t, "--appendonly", "yes", "--appendfsync", "always")
	c := s.Client(t)
	require.NoError(t, c.Set(t.Context(), "k", "v", 0).Err())
	addr, pid := s.Addr(), s.PID()

	s.Kill(t)
	assert.Zero(t, s.PID())
	require.Error(t, c.Ping(t.Context()).Err())

	s.Restart(t)
	assert.Equal(t, addr, s.Addr())
	assert.NotEqual(t, pid, s.PID())
	v, err := s.Client(t).Get(t.Context(), "k").Result()
	require.NoError(t, err)
	assert.Equal(t, "v", v)
}

func TestNothingSurvivesRestartWithoutPersistence(t *testing.T) {
	s := Start(t)
	require.NoError(t, s.Client(t).Set(t.Context(), "k", "v", 0).Err())
	s.Restart(t)
	require.ErrorIs(t, s.Client(t).Get(t.Context(), "k").Err(), redis.Nil)
}

func TestPausedServerAnswersAfterResume(t *testing.T) {
	s := Start(t)
	c := s.Client(t, func(o *redis.Options) { o.ReadTimeout = 50 * time.Millisecond })
	require.NoError(t, c.Ping(t.Context()).Err())
	s.Pause(t)
	require.Error(t, c.Ping(t.Context()).Err())
	s.Resume(t)
	require.Eventually(t, func() bool { return c.Ping(t.Context()).Err() == nil }, time.Minute, 5*time.Millisecond)
}

func TestPausedServerCanBeStopped(t *testing.T) {
	s := Start(t)
	s.Pause(t)
	s.Stop(t)
	assert.Zero(t, s.PID())
}

func TestServerWithPasswordBecomesReady(t *testing.T) {
	s := Start(t, "--requirepass", "secret")
	require.ErrorContains(t, s.Client(t).Ping(t.Context()).Err(), "NOAUTH")
	require.NoError(t, s.Client(t, func(o *redis.Options) { o.Password = "secret" }).Ping(t.Context()).Err())
}

func TestLaunchErrorShowsOutput(t *testing.T) {
	_, err := Launch(Options{Args: []string{"--no-such-directive", "1"}})
	require.ErrorContains(t, err, "no-such-directive")
	assert.NotErrorIs(t, err, ErrMissing)
}

func TestMissingServerNamesTheRemedy(t *testing.T) {
	_, err := Launch(Options{Binary: filepath.Join(t.TempDir(), "redis-server")})
	require.ErrorIs(t, err, ErrMissing)
	assert.ErrorContains(t, err, "apt-get install -y redis-server")
	assert.ErrorContains(t, err, "make deps")
}

func TestTakenPortIsDetected(t *testing.T) {
	first, err := Launch(Options{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, first.Close()) }()
	second, err := Launch(Options{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, second.Close()) }()

	require.NoError(t, second.Stop())
	second.mu.Lock()
	second.port = first.port
	second.mu.Unlock()
	require.ErrorIs(t, second.Start(), errPortTaken)
	require.NoError(t, second.startOnFreePort())
	assert.NotEqual(t, first.Addr(), second.Addr())
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	p, err := Launch(Options{})
	require.NoError(t, err)
	pid, dir := p.PID(), p.Dir()
	require.NoError(t, p.Close())
	assert.NoDirExists(t, dir)
	assert.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	assert.ErrorIs(t, p.Pause(), errNotRunning)
	assert.ErrorIs(t, p.Resume(), errNotRunning)
}

func TestConcurrentServersGetDifferentPorts(t *testing.T) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	addrs := map[string]bool{}
	for range 8 {
		wg.Go(func() {
			p, err := Launch(Options{})
			if !assert.NoError(t, err) {
				return
			}
			t.Cleanup(func() { assert.NoError(t, p.Close()) })
			mu.Lock()
			defer mu.Unlock()
			addrs[p.Addr()] = true
		})
	}
	wg.Wait()
	assert.Len(t, addrs, 8)
}

func TestTailKeepsTheEnd(t *testing.T) {
	var w tail
	_, _ = w.Write([]byte("begin"))
	_, _ = w.Write([]byte(strings.Repeat("x", tailSize)))
	_, _ = w.Write([]byte("end"))
	assert.Len(t, w.String(), tailSize)
	assert.True(t, strings.HasSuffix(w.String(), "end"))
	assert.False(t, w.contains("begin"))
}

func TestSocketPathIsShortEnough(t *testing.T) {
	p, err := Launch(Options{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, p.Close()) }()
	assert.Less(t, len(p.Socket()), 100)
	_, err = os.Stat(p.Socket())
	require.NoError(t, err)
}
