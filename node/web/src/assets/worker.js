// One event stream for all tabs of this site: browsers allow six connections a host on HTTP/1.1, and
// with a stream in each tab the seventh tab would wait for ever. Tabs talk to it through ports.

const ports = new Set();
const positions = {};
let source = null;
let pause = 1000;

function broadcast(message) {
  for (const port of ports) port.postMessage(message);
}

function listen() {
  source = new EventSource("/api/v1/events");
  source.addEventListener("hello", (event) => {
    pause = 1000;
    Object.assign(positions, JSON.parse(event.data).positions);
    broadcast({ type: "hello", positions });
  });
  source.addEventListener("resync", (event) => {
    const { project, position } = JSON.parse(event.data);
    positions[project] = position;
    broadcast({ type: "resync", project });
  });
  source.onmessage = (event) => {
    const feedEvent = JSON.parse(event.data);
    positions[feedEvent.project] = feedEvent.position;
    broadcast({ type: "event", event: feedEvent });
  };
  source.onerror = () => {
    // The browser reconnects by itself, except after an answer that is no stream, such as 503.
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(listen, pause);
    pause = Math.min(pause * 2, 60000);
  };
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data === "bye") ports.delete(port);
    else if (data === "hello") {
      ports.add(port);
      if (source) port.postMessage({ type: "hello", positions });
      else listen();
    }
  };
  port.start();
};
