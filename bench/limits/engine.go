package main

import (
	"bytes"
	"context"
	"strconv"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// engine runs a stream from a backlog in memory to drop.
func engine(ctx context.Context, o options) error {
	env := service.NewEnvironment()
	if err := env.RegisterBatchInput("backlog", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) {
			return service.AutoRetryNacksBatched(&backlog{options: o}), nil
		}); err != nil {
		return err
	}
	builder := env.NewStreamBuilder()
	if err := builder.SetYAML("input: {backlog: {}}\noutput: {drop: {}}\nlogger: {level: OFF}"); err != nil {
		return err
	}
	stream, err := builder.Build()
	if err != nil {
		return err
	}
	return stream.Run(ctx)
}

// backlog returns batches of messages with four metadata values, the minimum that identifies the
// origin of a message.
type backlog struct {
	options
	done int
}

func (*backlog) Connect(context.Context) error { return nil }
func (*backlog) Close(context.Context) error   { return nil }

func (b *backlog) ReadBatch(context.Context) (service.MessageBatch, service.AckFunc, error) {
	if b.done >= b.n {
		return nil, nil, service.ErrEndOfInput
	}
	body := bytes.Repeat([]byte("x"), b.body)
	batch := make(service.MessageBatch, min(b.batch, b.n-b.done))
	for i := range batch {
		m := service.NewMessage(bytes.Clone(body))
		m.MetaSetMut("topic", "bench")
		m.MetaSetMut("partition", 7)
		m.MetaSetMut("offset", strconv.Itoa(b.done+i))
		m.MetaSetMut("key", "customer")
		batch[i] = m
	}
	b.done += len(batch)
	return batch, func(context.Context, error) error { return nil }, nil
}
