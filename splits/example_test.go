package splits_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// A consumer joins a group, reads a batch and acknowledges it. The store in memory has the same
// semantics as Redis.
func ExampleConsumer() {
	store := splitstest.NewStore()
	store.SetPartitions("orders", 1)
	for _, split := range store.Splits("orders") {
		store.Append(split, "body", "first order")
		store.Append(split, "body", "second order")
	}

	ctx := context.Background()
	consumer := splits.NewConsumer(splits.Config{
		Group:     store.Group("orders", "billing"),
		Leases:    store.Leases("billing"),
		Streams:   store.Streams(),
		Member:    "member-1",
		TTL:       10 * time.Second,
		Heartbeat: 3 * time.Second,
	})
	consumer.Start()
	batch, err := consumer.Poll(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, entry := range batch.Entries {
		fmt.Println(batch.Split.ID(), entry.Fields)
	}
	batch.Ack()
	if err := consumer.Close(ctx); err != nil { // commits the position and leaves the group
		log.Fatal(err)
	}
	// Output:
	// orders-0 [body first order]
	// orders-0 [body second order]
}

// The third member gets partitions from the first two, and no other partition moves.
func ExampleAssign() {
	plan := splits.Assign([]string{"a", "b"}, 6, nil)
	fmt.Println(plan)
	plan = splits.Assign([]string{"a", "b", "c"}, 6, plan)
	fmt.Println(plan)
	// Output:
	// map[a:[0 1 2] b:[3 4 5]]
	// map[a:[0 1] b:[3 4] c:[2 5]]
}
