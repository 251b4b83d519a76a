package input

import (
	"fmt"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// entryText returns the log line about a partition whose next entry does not arrive, with the remedy.
func entryText(e *splits.EntryError) string {
	remedy := "If the network needs longer for it, raise `read_timeout`"
	if rediserr.CutOff(e.Cause) {
		remedy = "The connection is closed each time: raise the server's client-output-buffer-limit, or the limit of the " +
			"proxy in between"
	}
	return fmt.Sprintf("Stuck: partition %d (%s) of topic %s can't be read further, other partitions can: "+
		"%s does not arrive, retrying. %s. Last error: %v",
		e.Split.Partition, e.Split.Key, e.Split.Topic, e.Entry(), remedy, e.Cause)
}
