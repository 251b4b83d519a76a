package pipelines

import (
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSameDrawsMakeTheSamePlan(t *testing.T) {
	for seed := range uint64(200) {
		first := newPlan(newDraw(seed))
		again := newPlan(replay(first.draws))
		require.Equal(t, yamlOf(first.config), yamlOf(again.config), "seed %d", seed)
		require.Equal(t, first.describe(), again.describe(), "seed %d", seed)
	}
}

// Shortened draws must give a plan that the engine accepts.
func TestEveryPlanIsAccepted(t *testing.T) {
	for seed := range uint64(30) {
		p := newPlan(newDraw(seed))
		p = newPlan(replay(p.draws[int(seed)%7 : len(p.draws)/2]))
		text := p.yaml("run", "redis://localhost:6379", time.Second)
		err := service.NewStreamBuilder().SetYAML(text)
		if !assert.NoError(t, err, "seed %d", seed) {
			t.Fatal(text)
		}
	}
}
