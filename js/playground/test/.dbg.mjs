import { launch, open } from './browsers.mjs';
const b = await launch('firefox', {dark: true});
try {
  const {page, wrong}=await open(b,{});
  await page.select('select[name=requests]','100000');
  const t0=Date.now();
  await page.click('#run');
  for (let i=0;i<12;i++){ await new Promise(r=>setTimeout(r,1000)); console.log(Date.now()-t0, await page.$eval('#progress',e=>e.textContent), await page.$eval('#run',e=>e.textContent)); }
  console.log(wrong, await page.evaluate(()=>new Promise(r=>{let n=0;const t=performance.now();(function f(){ if(++n==20) r((performance.now()-t)/20); else requestAnimationFrame(f)})()})));
  await page.screenshot({path:'/tmp/shot-ff.png'});
} finally { await b.started.close(); }
