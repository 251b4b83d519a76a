package pipelines

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// allResults holds the results of the current runs, by the name of the run. Sinks and processors
// look up theirs here.
var allResults sync.Map

// registerComponents registers the output test_sink, which records messages and fails by schedule,
// and the processor flaky, which fails by schedule.
func registerComponents() {
	names := []*service.ConfigField{service.NewStringField("run"), service.NewStringField("name")}
	spec := service.NewConfigSpec().Fields(names...).Fields(
		service.NewBoolField("partial").Default(false),
		service.NewBoolField("forgive").Default(false),
		service.NewIntField("pause").Default(0),
		service.NewOutputMaxInFlightField(),
		service.NewBatchPolicyField("batching"),
	)
	service.MustRegisterBatchOutput("test_sink", spec, newSink)
	service.MustRegisterProcessor("flaky", service.NewConfigSpec().Fields(names...), newFlaky)
}

// lookUp returns the results and the name of a component.
func lookUp(conf *service.ParsedConfig) (*results, string, error) {
	run, err := conf.FieldString("run")
	if err != nil {
		return nil, "", err
	}
	name, err := conf.FieldString("name")
	if err != nil {
		return nil, "", err
	}
	found, ok := allResults.Load(run)
	if !ok {
		return nil, "", fmt.Errorf("run %s is over", run)
	}
	return found.(*results), name, nil
}

// sink is an output that accepts what the schedule allows.
type sink struct {
	results *results
	name    string
	// partial: its errors name the failed messages of a batch; else it accepts all of a batch or
	// nothing.
	partial bool
	// forgive: the sink is below a drop_on that drops what it refuses.
	forgive bool
	pause   time.Duration
}

func newSink(conf *service.ParsedConfig, _ *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
	var policy service.BatchPolicy
	var s sink
	var pause, inFlight int
	var err error
	for _, read := range []func() error{
		func() error { s.results, s.name, err = lookUp(conf); return err },
		func() error { s.partial, err = conf.FieldBool("partial"); return err },
		func() error { s.forgive, err = conf.FieldBool("forgive"); return err },
		func() error { pause, err = conf.FieldInt("pause"); return err },
		func() error { inFlight, err = conf.FieldMaxInFlight(); return err },
		func() error { policy, err = conf.FieldBatchPolicy("batching"); return err },
	} {
		if err := read(); err != nil {
			return nil, policy, 0, err
		}
	}
	s.pause = time.Duration(pause) * time.Microsecond
	return &s, policy, inFlight, nil
}

func (*sink) Connect(context.Context) error { return nil }
func (*sink) Close(context.Context) error   { return nil }

// WriteBatch records what arrives before it returns, so that no acknowledgement precedes the
// record.
func (s *sink) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	if s.pause > 0 { // a sink takes some time; nothing waits for this
		select {
		case <-time.After(s.pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	bodies := make([][]token, len(batch))
	for i, m := range batch {
		body, err := m.AsBytes()
		if err != nil {
			return err
		}
		bodies[i] = tokensIn(body)
	}
	failed, whole := s.results.write(s, bodies)
	switch {
	case whole:
		return errRefused
	case len(failed) == 0:
		return nil
	}
	batchErr := service.NewBatchError(batch, errRefused)
	for _, i := range failed {
		batchErr = batchErr.Failed(i, errRefused)
	}
	return batchErr
}

// flaky is a processor that fails for a message as often as the schedule says, and changes nothing.
type flaky struct {
	results *results
	name    string
}

func newFlaky(conf *service.ParsedConfig, _ *service.Resources) (service.Processor, error) {
	r, name, err := lookUp(conf)
	return &flaky{r, name}, err
}

func (f *flaky) Process(_ context.Context, m *service.Message) (service.MessageBatch, error) {
	body, err := m.AsBytes()
	if err != nil {
		return nil, err
	}
	if f.results.refusesMessage(f.name, tokensIn(body)) {
		return nil, errRefused
	}
	return service.MessageBatch{m}, nil
}

func (*flaky) Close(context.Context) error { return nil }
