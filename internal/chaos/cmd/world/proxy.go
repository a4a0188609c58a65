package main

import (
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// proxied is one worker's way to NATS. Cut, it is dead without a word: bytes go nowhere and nobody hangs up, as with a
// cable that is pulled.
type proxied struct {
	to []string

	mu    sync.Mutex
	whole *sync.Cond
	cut   bool
	conns map[net.Conn]bool
}

// proxy forwards connections. The order cut stops all bytes, mend drops the stalled connections and lets new ones in.
func proxy(h helper, orders <-chan string) error {
	p := &proxied{to: strings.Split(h.to, ","), conns: map[net.Conn]bool{}}
	p.whole = sync.NewCond(&p.mu)
	go func() {
		for {
			conn, err := h.listener.Accept()
			if err != nil {
				return
			}
			go p.forward(conn)
		}
	}()
	for order := range orders {
		p.set(order == "cut")
	}
	return nil
}

func (p *proxied) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if !cut {
		for c := range p.conns {
			c.Close()
		}
		clear(p.conns)
	}
	p.whole.Broadcast()
}

// forward connects to the first server that answers, and copies both ways.
func (p *proxied) forward(in net.Conn) {
	defer in.Close()
	p.pass()
	var out net.Conn
	for _, to := range p.to {
		var err error
		if out, err = net.DialTimeout("tcp", to, time.Second); err == nil {
			break
		}
	}
	if out == nil {
		return
	}
	defer out.Close()
	p.mu.Lock()
	p.conns[in], p.conns[out] = true, true
	p.mu.Unlock()
	over := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() {
			_, _ = io.Copy(way[0], reader{way[1], p})
			over <- struct{}{}
		}()
	}
	<-over
}

// pass waits while the connection is cut.
func (p *proxied) pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.cut {
		p.whole.Wait()
	}
}

// reader lets no byte through while the connection is cut.
type reader struct {
	net.Conn
	p *proxied
}

func (r reader) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.p.pass()
	return n, err
}
