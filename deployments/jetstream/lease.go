package jetstream

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// lease is one partition that is held, or was until its call returns.
type lease struct {
	of     int // partition
	msg    jetstream.Msg
	until  time.Time // when it can no longer be trusted
	cancel context.CancelFunc
	expiry *time.Timer // cancels the call at until, however busy the loop is
	lost   bool        // the call was cancelled and has not returned yet
	again  bool        // it was taken once more in the meantime: another call follows
	shed   bool        // the call was cancelled so that another worker can have the partition
}

// batch is a part of the answer to one fetch.
type batch struct {
	order
	asked time.Time // no message of it was delivered earlier
	msgs  []jetstream.Msg
	more  bool // another part follows
	got   int  // of the last part: messages of all parts
	err   error
}

// holder keeps the leases of one Hold.
type holder struct {
	cons     jetstream.Consumer
	conn     *nats.Conn
	log      *slog.Logger
	now      func() time.Time
	capacity int
	call     func(context.Context, int)
	held     map[int]*lease
	returned chan int
	fetched  chan batch
	share    func(held int) (want int, shed bool) // nil: as many as there is capacity for
	settled  func() bool                          // whether one may be handed over for balance now
	pace     time.Duration                        // between two partitions handed back for balance
	calm     time.Time                            // until then none is

	ackWait   time.Duration // after which the server gives a message to another
	trust     time.Duration // how long a confirmed renewal is trusted: less than ackWait
	fetchWait time.Duration
}

// take keeps a lease that was delivered, and begins its call.
func (h *holder) take(ctx context.Context, p int, msg jetstream.Msg, until time.Time) {
	if h.expired(until) {
		// The process stood still since it asked: another may hold the partition by now.
		return
	}
	l, ok := h.held[p]
	if !ok {
		l = &lease{}
		h.held[p] = l
		h.begin(ctx, p, l, msg, until)
		return
	}
	// The server had given it up and has delivered it to us again. A call that still runs may go on.
	if h.lapsed(l) {
		l.again = true
		l.msg, l.until = msg, until
		return
	}
	l.msg = msg
	h.extend(l, until)
}

// begin runs the call for a lease.
func (h *holder) begin(ctx context.Context, p int, l *lease, msg jetstream.Msg, until time.Time) {
	ctx, cancel := context.WithCancel(ctx)
	*l = lease{of: p, msg: msg, until: until, cancel: cancel, expiry: time.AfterFunc(until.Sub(h.now()), cancel)}
	h.log.Debug("partition taken", "partition", p)
	go func() {
		h.call(ctx, p)
		h.returned <- p
	}()
}

// expired reports whether an instant has passed, by either clock: the monotonic one stands still while a machine
// sleeps.
func (h *holder) expired(until time.Time) bool {
	now := h.now()
	return !now.Before(until) || !now.Round(0).Before(until.Round(0))
}

// lapsed reports whether a lease can no longer be trusted, and cancels its call then.
func (h *holder) lapsed(l *lease) bool {
	if !l.lost && h.expired(l.until) {
		h.lose(l)
	}
	return l.lost
}

func (h *holder) lose(l *lease) {
	l.expiry.Stop()
	l.cancel()
	l.lost = true
	h.log.Warn("partition lost", "partition", l.of)
}

// extend trusts a lease for longer, unless its call has been cancelled already.
func (h *holder) extend(l *lease, until time.Time) {
	if l.lost && l.again {
		l.until = until
		return
	}
	if l.lost {
		return
	}
	if !l.expiry.Stop() {
		h.lose(l)
		return
	}
	l.until = until
	l.expiry.Reset(until.Sub(h.now()))
}

// renew tells the server that the leases are still held, and trusts them for longer once it has heard. A lapsed lease
// is not renewed: the server would renew it for whoever holds it now.
func (h *holder) renew() {
	start := h.now()
	var renewed []*lease
	for _, l := range h.held {
		if h.lapsed(l) && (!l.again || h.expired(l.until)) {
			l.again = false
			continue
		}
		if l.msg.InProgress() == nil {
			renewed = append(renewed, l)
		}
	}
	if len(renewed) == 0 || h.conn.FlushTimeout(h.ackWait/5) != nil {
		return
	}
	for _, l := range renewed {
		h.extend(l, start.Add(h.trust))
	}
}

// finish ends a lease whose call has returned, or begins the next call of one that was taken again.
func (h *holder) finish(ctx context.Context, p int) {
	l := h.held[p]
	lapsed := h.lapsed(l)
	l.expiry.Stop()
	l.cancel()
	switch {
	case l.again && !h.expired(l.until):
		h.begin(ctx, p, l, l.msg, l.until)
		return
	case !lapsed && l.shed:
		// At once: whoever is below its share waits for it, and until then it is nobody's. Should the servers elect a
		// leader just now, it stays so for seconds.
		_ = l.msg.Nak()
	case !lapsed:
		// The call gave it up by itself: let another worker try first.
		_ = l.msg.NakWithDelay(h.ackWait)
	}
	delete(h.held, p)
}

// handBack ends all calls, waits for them, and gives the leases to whoever asks next.
func (h *holder) handBack(fetching bool) {
	for _, l := range h.held {
		l.cancel()
	}
	var back []jetstream.Msg
	for waiting := len(h.held); waiting > 0 || fetching; {
		select {
		case p := <-h.returned:
			waiting--
			l := h.held[p]
			l.expiry.Stop()
			if !h.expired(l.until) {
				back = append(back, l.msg)
			}
		case b := <-h.fetched:
			fetching = b.more
			back = append(back, b.msgs...)
		}
	}
	for _, msg := range back {
		_ = msg.Nak()
	}
	if len(back) > 0 {
		_ = h.conn.FlushTimeout(h.ackWait / 5)
	}
}
