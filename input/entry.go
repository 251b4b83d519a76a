package input

import (
	"fmt"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// entryText says why a partition stands still whose next entry does not arrive, and what to do
// about it.
func entryText(e *splits.EntryError) string {
	remedy := "raise `read_timeout`, since the network needs longer for it"
	if broker.CutOff(e.Cause) {
		remedy = "raise the server's client-output-buffer-limit, or the limit of a proxy in between, since the connection is closed each time"
	}
	return fmt.Sprintf(
		"Stuck: partition %d (%s) of topic %s can't be read on, others can: %s does not arrive. It is tried again and again; %s. "+
			"The last attempt: %v",
		e.Split.Partition,
		e.Split.Key,
		e.Split.Topic,
		e.Entry(),
		remedy,
		e.Cause,
	)
}
