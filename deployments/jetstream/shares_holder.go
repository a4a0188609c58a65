package jetstream

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	shedEvery  = time.Second // at most one partition is handed back for balance in that time
	shedRest   = 30          // such times without handing back, after others have left partitions lying
	spareBatch = 4           // partitions taken at once that are more than the fair share
	spareWait  = 250 * time.Millisecond
)

// order is what to ask the queue for.
type order struct {
	n     int
	spare bool // more than the fair share: only what lies there and nobody waits for
}

// appetite is the next order. While there is capacity it is never empty: a partition that nobody holds is taken,
// whatever the others say they would take.
func (h *holder) appetite() order {
	free := h.capacity - len(h.held)
	if h.share == nil {
		return order{n: min(free, leaseBatch)}
	}
	held := h.kept()
	if want, _ := h.share(held); want > held {
		return order{n: min(want-held, free, leaseBatch)}
	}
	return order{n: min(free, spareBatch), spare: true}
}

// kept is how many partitions are held and stay so.
func (h *holder) kept() int {
	n := 0
	for _, l := range h.held {
		if !l.lost && !l.shed {
			n++
		}
	}
	return n
}

// ask sends an order.
func (h *holder) ask(o order) (jetstream.MessageBatch, error) {
	if o.spare {
		// The server serves those first that wait for a message: they are below their fair share.
		return h.cons.FetchNoWait(o.n)
	}
	return h.cons.Fetch(o.n, jetstream.FetchMaxWait(h.fetchWait))
}

// rest puts handing back off: others had their chance at these partitions and did not take them.
func (h *holder) rest(b batch) {
	if b.spare && len(b.msgs) > 0 {
		h.calm = h.now().Add(shedRest * h.pace)
	}
}

// sheds ticks when a partition may be handed back for balance; never without shares.
func (h *holder) sheds() (<-chan time.Time, func()) {
	if h.share == nil {
		return nil, func() {}
	}
	tick := time.NewTicker(h.pace)
	return tick.C, tick.Stop
}

// settledWait is how long the servers may take to say that they are settled: renewals wait meanwhile.
const settledWait = 200 * time.Millisecond

// isSettled reports whether the servers can make consumers. While a cluster elects the leader that does, a partition that
// is handed over could not be watched by its new holder.
func isSettled(js jetstream.JetStream) bool {
	ctx, cancel := context.WithTimeout(context.Background(), settledWait)
	defer cancel()
	_, err := js.AccountInfo(ctx)
	return err == nil
}

// shed ends one call if this worker holds more than its share. Once it has returned, finish hands its lease back; until
// then the lease is kept, and no other call is ended.
func (h *holder) shed() {
	if h.now().Before(h.calm) {
		return
	}
	var one *lease
	for _, l := range h.held {
		if l.shed {
			return
		}
		if !l.lost {
			one = l
		}
	}
	if _, shed := h.share(h.kept()); !shed || one == nil || !h.settled() {
		return
	}
	one.shed = true
	one.cancel()
	h.log.Debug("partition handed back for balance", "partition", one.of)
}
