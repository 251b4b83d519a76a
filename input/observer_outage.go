package input

import (
	"context"
	"errors"
	"fmt"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// Unavailable logs an error line about a part that fails. Errors of the broker include the remedy.
func (o *observer) Unavailable(part splits.Part, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	o.outage.Fail(part.String(), err) // the caller decides what is logged again
	var (
		superseded *splits.SupersededError
		loss       *splits.LossError
		entry      *splits.EntryError
		letter     *splits.LetterError
		down       *splits.OutputDownError
	)
	switch {
	case errors.As(err, &superseded):
		o.log.With("group", o.group, "topic", o.topic).Errorf("Fenced: %v", superseded)
	case errors.As(err, &loss):
		o.log.Errorf("Stopped: %v", loss)
	case errors.As(err, &entry):
		o.log.Errorf("%s", entryText(entry))
	case errors.As(err, &letter):
		o.noLetter(letter)
	case errors.As(err, &down):
		o.log.Errorf("The output seems to be down: %v", down)
	default:
		o.log.Errorf("%s unavailable, retrying: %v", subject(part), o.named(err))
	}
}

// unavailable logs why nothing can be handed out, if the remedy differs from the one that was
// logged. An outage can begin with a broken connection and turn out to be, for example, a changed
// password.
func (o *observer) unavailable(err error) {
	if o.outage.Update(theStore.String(), err, sameRemedy) {
		o.log.Errorf("%s still unavailable, for another reason now, retrying: %v", subject(theStore), o.named(err))
	}
}

// causeLogged records that the engine logs why nothing can be handed out.
func (o *observer) causeLogged(err error) { o.outage.Update(theStore.String(), err, nil) }

// storeFailing reports whether requests fail that concern no partition in particular.
func (o *observer) storeFailing() bool { return o.outage.Failing(theStore.String()) }

// theStore is the part that requests fail for that concern no partition in particular.
var theStore = splits.Part{Kind: splits.PartStore}

// thePipeline is the part that fails if what processes the messages rejects them.
var thePipeline = splits.Part{Kind: splits.PartMember}

// subject returns a part as a log line names it.
func subject(part splits.Part) string {
	switch part.Kind {
	case splits.PartSplit:
		return "Partition " + part.Name
	case splits.PartMember:
		if part == thePipeline {
			return "Pipeline"
		}
		return "Member " + part.Name
	default:
		return "Redis"
	}
}

// Available logs that a part works again.
func (o *observer) Available(part splits.Part) {
	o.outage.Recover(part.String())
	if part == thePipeline {
		o.log.Info("Messages are processed again")
		return
	}
	o.log.Infof("%s available again", subject(part))
}

// entryText returns the log line about a partition whose next entry does not arrive, with the
// remedy.
func entryText(e *splits.EntryError) string {
	remedy := "If the network needs longer for it, raise `read_timeout`"
	if rediserr.CutOff(e.Cause) {
		remedy = "The connection is closed each time: raise the server's client-output-buffer-limit, or the limit of " +
			"the proxy in between"
	}
	return fmt.Sprintf("Stuck: partition %d (%s) of topic %s can't be read further, other partitions can: "+
		"%s does not arrive, retrying. %s. Last error: %v",
		e.Split.Partition, e.Split.Key, e.Split.Topic, e.Entry(), remedy, e.Cause)
}
