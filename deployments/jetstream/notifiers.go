package jetstream

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Notifier is how far the durable consumer of a receiver is.
type Notifier struct {
	Name    string    `json:"name"`
	Waiting uint64    `json:"waiting"` // events that it has not been told of yet
	Since   time.Time `json:"since"`   // it is told of events since then
}

// Notifiers are the receivers that Tell was ever called for, also those that nobody tells any more. Its user needs rights
// to the stream.
func (e Events) Notifiers(ctx context.Context) ([]Notifier, error) {
	limited, cancel := context.WithTimeout(ctx, localWait)
	defer cancel()
	s, err := e.JS.Stream(limited, e.Names.Stream(EventsStream))
	if err != nil {
		return nil, fmt.Errorf("list receivers: %w", err)
	}
	all := []Notifier{}
	consumers := s.ListConsumers(limited)
	for info := range consumers.Info() {
		if name, ok := strings.CutPrefix(info.Config.Durable, tellPrefix); ok {
			all = append(all, Notifier{name, info.NumPending + uint64(info.NumAckPending), info.Created.UTC()})
		}
	}
	err = consumers.Err()
	if gaveUp(err) {
		err = fmt.Errorf("%w: they are listed by the user setup, or another one of Serin's account without restrictions", err)
	}
	if err != nil {
		return nil, fmt.Errorf("list receivers: %w", err)
	}
	return all, nil
}

// Notifier is the receiver whose consumer took a message, such as a dead letter's; "" for another one's.
func (l Letter) Notifier() string {
	name, ok := strings.CutPrefix(l.Consumer, tellPrefix)
	if !ok {
		return ""
	}
	return name
}
