package deployments

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// Released is the input of entries that take in a release.
type Released struct {
	Release Release `json:"release"`
	Answer  Answer  `json:"answer"`
	Why     string  `json:"why,omitempty"`
}

// kinds of input, as the journal names them.
const (
	kindTick       = "tick"
	kindApplied    = "applied"
	kindMeasured   = "measured"
	kindCommand    = "command"
	kindSuperseded = "superseded"
	kindReleased   = "release"
)

type kinded struct {
	Kind string `json:"kind"`
}

type measuredFields struct {
	Rollout string       `json:"rollout,omitempty"`
	At      time.Time    `json:"at"`
	Seq     uint64       `json:"seq"`
	Share   *steps.Share `json:"share,omitempty"`
}

// EncodeInput writes an input for the journal. A Measured's verdicts are the entry's evidence and are left out.
func EncodeInput(in steps.Input) (json.RawMessage, error) {
	switch in := in.(type) {
	case steps.Tick:
		return json.Marshal(kinded{kindTick})
	case steps.Applied:
		return encode(kindApplied, in)
	case steps.Measured:
		return encode(kindMeasured, measuredFields{in.Rollout, in.At, in.Seq, in.Share})
	case steps.Command:
		return encode(kindCommand, in)
	case steps.Superseded:
		return encode(kindSuperseded, in)
	}
	return nil, fmt.Errorf("encode input: unknown kind %T", in)
}

func encode(kind string, fields any) (json.RawMessage, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	head := `{"kind":"` + kind + `"`
	if len(text) > len("{}") {
		head += ","
	}
	return json.RawMessage(head + string(text[1:])), nil
}

// DecodeInput reads an entry's input again, for replay. It is false for entries that no rollout decided.
func DecodeInput(e Entry) (in steps.Input, ok bool, err error) {
	var k kinded
	if err := json.Unmarshal(e.Input, &k); err != nil {
		return nil, false, fmt.Errorf("decode input of %s rev %d: %w", e.Slot, e.Rev, err)
	}
	switch k.Kind {
	case kindTick:
		return steps.Tick{}, true, nil
	case kindApplied:
		var a steps.Applied
		err = json.Unmarshal(e.Input, &a)
		return a, err == nil, err
	case kindMeasured:
		var m measuredFields
		err = json.Unmarshal(e.Input, &m)
		return steps.Measured{Rollout: m.Rollout, At: m.At, Seq: m.Seq, Share: m.Share, Verdicts: e.Evidence}, err == nil, err
	case kindCommand:
		var c steps.Command
		err = json.Unmarshal(e.Input, &c)
		return c, err == nil, err
	case kindSuperseded:
		var s steps.Superseded
		err = json.Unmarshal(e.Input, &s)
		return s, err == nil, err
	}
	return nil, false, nil
}

// evidenceOf is what a decision on the input rests on.
func evidenceOf(in steps.Input) []analysis.Judgement {
	if m, ok := in.(steps.Measured); ok {
		return m.Verdicts
	}
	return nil
}
