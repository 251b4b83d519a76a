package broker

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

func TestSuspectIsWrittenAsTheScriptsReadIt(t *testing.T) {
	suspect := splits.Suspect{UpTo: splits.Offset{Millis: 17, Seq: 3}, Flight: splits.InFlightAlone, Turn: 2}
	assert.Equal(t, "17-3 alone 2", encodeSuspect(suspect))
	suspect.Flight = splits.InFlight
	assert.Equal(t, "17-3 batch 2", encodeSuspect(suspect))
	suspect.Flight = splits.NotInFlight
	assert.Equal(t, "17-3 waiting 2", encodeSuspect(suspect))
	assert.Equal(t, "0-0 waiting 3", encodeSuspect(splits.Suspect{Turn: 3}))
	assert.Empty(t, encodeSuspect(splits.Suspect{}))
}

func TestReplyNamesTheSuspectAndTheDeaths(t *testing.T) {
	suspect, err := decodeSuspect("17-3")
	require.NoError(t, err)
	assert.Equal(t, splits.Suspect{UpTo: splits.Offset{Millis: 17, Seq: 3}}, suspect)
	none, err := decodeSuspect("")
	require.NoError(t, err)
	assert.Zero(t, none)
	_, err = decodeSuspect("x")
	require.Error(t, err)
	deaths, err := decodeDeaths("17-3@99 17-3@100 20-0@101")
	require.NoError(t, err)
	assert.Equal(t, []splits.Offset{{Millis: 17, Seq: 3}, {Millis: 17, Seq: 3}, {Millis: 20}}, deaths)
	_, err = decodeDeaths("17-3@99 x")
	require.Error(t, err)
}
