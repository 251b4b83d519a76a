package input_test

import (
	"context"
	"fmt"
	"log"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/rafka-streams/rafka/input"
	_ "github.com/rafka-streams/rafka/output"
)

// The server is embedded in the process, so the example needs no Redis.
const (
	writeOrders = `
rafka:
  url: embedded://example
  stream_name: orders
  partitions: 8
  key: ${! json("customer") }
`
	readOrders = `
rafka:
  url: embedded://example
  stream_name: orders
  consumer_group: billing
`
)

// Two streams run in one process: one writes three orders of a customer, the other reads them as a
// member of the consumer group "billing". Orders with the same key are read in their order.
func Example() {
	ctx := context.Background()

	builder := service.NewStreamBuilder()
	write, err := builder.AddProducerFunc()
	check(err)
	check(builder.AddOutputYAML(writeOrders))
	writer := start(builder)
	for n := range 3 {
		order := fmt.Sprintf(`{"customer":"alice","order":%d}`, n+1)
		check(write(ctx, service.NewMessage([]byte(order)))) // returns when the order is written
	}
	check(writer.Stop(ctx))

	orders := make(chan string)
	builder = service.NewStreamBuilder()
	check(builder.AddInputYAML(readOrders))
	check(builder.AddConsumerFunc(func(_ context.Context, message *service.Message) error {
		order, err := message.AsBytes()
		if err != nil {
			return err // the message is delivered again
		}
		key, _ := message.MetaGet("rafka_key")
		orders <- fmt.Sprintf("key %s: %s", key, order)
		return nil // the offset can be committed
	}))
	reader := start(builder)
	for range 3 {
		fmt.Println(<-orders)
	}
	check(reader.Stop(ctx))
	// Output:
	// key alice: {"customer":"alice","order":1}
	// key alice: {"customer":"alice","order":2}
	// key alice: {"customer":"alice","order":3}
}

// start builds a stream and runs it until it is stopped.
func start(builder *service.StreamBuilder) *service.Stream {
	check(builder.SetLoggerYAML("level: NONE"))
	stream, err := builder.Build()
	check(err)
	go func() { check(stream.Run(context.Background())) }()
	return stream
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
