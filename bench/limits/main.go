// Command limits measures upper bounds: Benthos that passes messages to drop without any service
// (engine), and go-redis that sends rafka's commands and ignores the replies (xread, xadd). It
// prints the messages per second as one line.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

// options are the flags of all modes.
type options struct {
	url   string
	keys  string // of the streams: a pattern with %d
	parts int
	n     int
	batch int
	body  int
}

func main() {
	var o options
	flag.StringVar(&o.url, "url", "", "the Redis server")
	flag.StringVar(&o.keys, "keys", "", "pattern of the streams, such as topic:%d")
	flag.IntVar(&o.parts, "parts", 8, "number of streams")
	flag.IntVar(&o.n, "n", 500_000, "messages")
	flag.IntVar(&o.batch, "batch", 500, "messages of a batch, entries of a stream in a read, or commands of a pipeline")
	flag.IntVar(&o.body, "body", 256, "bytes of a message")
	flag.Parse()
	modes := map[string]func(context.Context, options) error{"engine": engine, "xread": xread, "xadd": xadd}
	run, ok := modes[flag.Arg(0)]
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: limits [flags] engine|xread|xadd")
		os.Exit(2)
	}
	began := time.Now()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%.0f %d\n", float64(o.n)/time.Since(began).Seconds(), o.n)
}
