export async function getStaticProps() {
  return { props: { made: `${Math.random()} é😀` }, revalidate: 3600 };
}

export default function Isr({ made }) {
  return <p id="isr">{made}</p>;
}
