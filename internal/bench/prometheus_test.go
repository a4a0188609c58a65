//go:build unix

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"time"
)

// endpoint is where a process can be reached.
type endpoint struct{ URL, Token string }

// servePrometheus is a Prometheus in a process of its own: it answers each POST on each connection with one sample, 12
// bad requests of 4060, 0.018 of anything else. That is healthy by the policies here.
func servePrometheus() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerAll(conn)
		}
	}()
	if err := tell(endpoint{URL: "http://" + l.Addr().String()}); err != nil {
		return err
	}
	<-orphaned()
	return l.Close()
}

// sample is an answer as Prometheus writes it.
func sample(value string) []byte {
	body := fmt.Sprintf(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"%s"]}]}}`, time.Now().Unix(), value)
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func answerAll(conn net.Conn) {
	defer conn.Close()
	bad, total, other := sample("12"), sample("4060"), sample("0.018")
	r := bufio.NewReaderSize(conn, 16<<10)
	for {
		length, err := header(r)
		if err != nil {
			return
		}
		body, err := r.Peek(length)
		if err != nil {
			return
		}
		answer := other
		switch {
		case bytes.Contains(body, []byte("code%3D")):
			answer = bad
		case bytes.Contains(body, []byte("increase")):
			answer = total
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// header reads up to the body, and says how long that is.
func header(r *bufio.Reader) (length int, err error) {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil || len(line) == 2 {
			return length, err
		}
		if digits, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			for _, d := range bytes.TrimSpace(digits) {
				length = 10*length + int(d-'0')
			}
		}
	}
}
