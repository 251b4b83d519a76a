package broker

import (
	"strconv"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// decodeShare decodes the first word of a reply of a script of share groups.
func decodeShare(s *script.Script, reply script.Result) (script.Reply, error) {
	if reply.Err != nil {
		return nil, rediserr.Explain(reply.Err)
	}
	words := script.ReplyOf(reply.Value)
	switch word := words.Word(0); {
	case word == "NOGROUP":
		return nil, splits.ErrNoGroup
	case word == "OK",
		word == "ABSENT" && s == shareOpenScript,
		word == "STALE" && (s == shareAckScript || s == shareNoteScript || s == shareSuspectScript):
		return words, nil
	}
	return nil, script.Unexpected(s, reply.Value)
}

// decodeHeld decodes the reply "OK generation ids".
func decodeHeld(words script.Reply) (held splits.ShareHeld, err error) {
	if held.Generation, err = words.Number(1); err != nil {
		return held, err
	}
	held.Offsets, err = decodeOffsets(words.Words(2))
	return held, err
}

// decodeTaken decodes the reply "OK generation more taken lost".
func decodeTaken(words script.Reply) (taken splits.ShareTaken, err error) {
	if taken.Generation, err = words.Number(1); err != nil {
		return taken, err
	}
	taken.More = words.Word(2) == "1"
	if taken.Offsets, err = decodeOffsets(words.Words(3)); err != nil {
		return taken, err
	}
	taken.Lost, err = decodeOffsets(words.Words(4))
	return taken, err
}

// decodeLoaded decodes the reply "OK looked entries size suspected".
func decodeLoaded(words script.Reply) (loaded splits.ShareLoaded, err error) {
	looked, err := words.Signed(1)
	if err != nil {
		return loaded, err
	}
	var list any
	if len(words) > 2 {
		list = words[2]
	}
	if loaded.Size, err = words.Signed(3); err != nil {
		return loaded, err
	}
	loaded.Looked = int(looked)
	if loaded.Entries, err = entries(list); err != nil {
		return loaded, err
	}
	loaded.Suspected, err = decodeSuspected(words.Words(4))
	return loaded, err
}

// decodeSuspected decodes 3 words of each entry: ID, takeovers, deaths.
func decodeSuspected(words []string) (all []splits.Suspected, err error) {
	for len(words) >= 3 {
		s := splits.Suspected{}
		if s.Offset, err = splits.ParseOffset(words[0]); err != nil {
			return nil, err
		}
		if s.Takeovers, err = strconv.Atoi(words[1]); err != nil {
			return nil, err
		}
		if s.Deaths, err = strconv.Atoi(words[2]); err != nil {
			return nil, err
		}
		all, words = append(all, s), words[3:]
	}
	return all, nil
}

func decodeOffsets(texts []string) (all []splits.Offset, err error) {
	for _, text := range texts {
		o, err := splits.ParseOffset(text)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}
