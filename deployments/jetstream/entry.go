package jetstream

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/serin-cd/serin/deployments"
)

// decodeEntry reads an entry. With an error the entry still has Slot, V and Sequence, as far as they are known.
func decodeEntry(subject string, seq uint64, data []byte) (deployments.Entry, error) {
	slot, err := deployments.SlotOf(subject)
	bare := deployments.Entry{Slot: slot, Sequence: seq}
	if err != nil {
		return bare, fmt.Errorf("read entry %d: %w", seq, err)
	}
	var head struct{ V int }
	err = json.Unmarshal(data, &head)
	if err == nil && head.V < 1 {
		err = errors.New("it has no format")
	}
	if err != nil {
		return bare, fmt.Errorf("read entry %d of %s: %w", seq, slot, err)
	}
	bare.V = head.V
	if head.V > deployments.EntryVersion {
		return bare, fmt.Errorf("read entry %d of %s, format %d: %w", seq, slot, head.V, deployments.ErrNewer)
	}
	e := deployments.Entry{}
	if err := json.Unmarshal(data, &e); err != nil {
		bare.V = 0
		return bare, fmt.Errorf("read entry %d of %s: %w", seq, slot, err)
	}
	if e.Slot != slot {
		bare.V = 0
		return bare, fmt.Errorf("read entry %d: it is of %s, on the subject of %s", seq, e.Slot, slot)
	}
	if e.Rev < 1 || e.Op == "" {
		bare.V = 0
		return bare, fmt.Errorf("read entry %d of %s: without rev and op it is no entry of a worker", seq, slot)
	}
	e.Sequence = seq
	return e, nil
}
