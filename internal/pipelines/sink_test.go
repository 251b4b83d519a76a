package pipelines

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// worlds are the worlds that are being played, by the name of the run: sinks and processors find
// theirs here.
var worlds sync.Map

// registerProbes makes the output probe, which records and fails by schedule, and the processor
// flaky, which fails by schedule.
func registerProbes() {
	names := []*service.ConfigField{service.NewStringField("run"), service.NewStringField("name")}
	spec := service.NewConfigSpec().Fields(names...).Fields(
		service.NewBoolField("partial").Default(false),
		service.NewBoolField("forgive").Default(false),
		service.NewIntField("pause").Default(0),
		service.NewOutputMaxInFlightField(),
		service.NewBatchPolicyField("batching"),
	)
	service.MustRegisterBatchOutput("probe", spec, newSink)
	service.MustRegisterProcessor("flaky", service.NewConfigSpec().Fields(names...), newFlaky)
}

// origin returns the world and the name of a component.
func origin(conf *service.ParsedConfig) (*world, string, error) {
	run, err := conf.FieldString("run")
	if err != nil {
		return nil, "", err
	}
	name, err := conf.FieldString("name")
	if err != nil {
		return nil, "", err
	}
	found, ok := worlds.Load(run)
	if !ok {
		return nil, "", fmt.Errorf("run %s is over", run)
	}
	return found.(*world), name, nil
}

// sink is an output that keeps what the schedule lets it have.
type sink struct {
	world *world
	name  string
	// partial sinks say which message of a batch failed; the others take all of a batch or nothing.
	partial bool
	// forgive says that the sink stands below a drop_on that drops what it refuses.
	forgive bool
	pause   time.Duration
}

func newSink(conf *service.ParsedConfig, _ *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
	var policy service.BatchPolicy
	var s sink
	var pause, inFlight int
	var err error
	for _, read := range []func() error{
		func() error { s.world, s.name, err = origin(conf); return err },
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

// WriteBatch notes what arrives before it returns, so that no acknowledgement is earlier than the
// note.
func (s *sink) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	if s.pause > 0 { // a sink takes its time; nothing waits for this
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
	failed, whole := s.world.write(s, bodies)
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
	world *world
	name  string
}

func newFlaky(conf *service.ParsedConfig, _ *service.Resources) (service.Processor, error) {
	w, name, err := origin(conf)
	return &flaky{w, name}, err
}

func (f *flaky) Process(_ context.Context, m *service.Message) (service.MessageBatch, error) {
	body, err := m.AsBytes()
	if err != nil {
		return nil, err
	}
	if f.world.refusesMessage(f.name, tokensIn(body)) {
		return nil, errRefused
	}
	return service.MessageBatch{m}, nil
}

func (*flaky) Close(context.Context) error { return nil }
