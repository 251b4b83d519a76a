//go:build topology

package topology

import (
	"testing"
	"time"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestPromotedMasterIsUsed(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{Password: "data", SentinelPassword: "watch"})
	d := deployment{fields: "kind: failover\nmaster: " + s.MasterName() + "\nurl: '" + s.URL() + "'\npassword: data\nsentinel_password: watch" +
		shortTimeouts, topic: "orders", partitions: 4}
	crowd := newCrowd()
	crowd.join(t, "ann", d)
	crowd.join(t, "bob", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.more(t, 500)
	old := s.Master(t)
	old.Kill(t)
	s.AwaitPromotion(t, old)
	began := time.Now()
	load.more(t, 500)
	t.Logf("writing again %s after the promotion", time.Since(began))
	old.Restart(t)
	s.Await(t)
	load.more(t, 500)
	n := load.finish(t)
	crowd.await(t, n)
	t.Logf("read all %s after the promotion", time.Since(began))
	awaitLagZero(t, s.Client(t), d, n)
	t.Logf("%d of %d repeated", crowd.repeated(), n)
}
